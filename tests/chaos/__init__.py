"""The kill test: real processes, SIGKILL at chosen points and at random moments, and a ledger outside the system.

`python -m tests.chaos --kills N --seed S` runs it; `docs/concepts/reliability.md` says what it shows.
"""
