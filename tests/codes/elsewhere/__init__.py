"""Modules of other contexts, for programs that take what is not theirs."""
