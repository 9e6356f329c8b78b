"""Workloads that compare this library with what a user would write or pick instead.

`python -m benchmarks` runs them; `docs/benchmarks.md` quotes what the last run wrote to `benchmarks/results`.
Importing this package imports nothing: parts of it run in environments where this library is not installed.
"""
