"""One file for each situation that must be survived, named by its number: the observable in its docstring is the claim.

`docs/concepts/reliability.md` lists them.
"""
