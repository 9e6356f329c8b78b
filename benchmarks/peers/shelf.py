"""The world outside the programs: which books there are. Knows no library; needs the standard library only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter_ns

KNOWN_BEFORE = range(1, 11)
UNKNOWN = 13
KNOWN_AFTER = range(21, 30)
CALLS = len(KNOWN_BEFORE) + 1 + len(KNOWN_AFTER)
WARMING = 200


def copies_of(book: int) -> int | None:
    """Say how many copies of `book` there are; None: no such book."""
    return None if book == UNKNOWN else book % 7


TOTAL = sum(copies_of(book) or 0 for book in (*KNOWN_BEFORE, *KNOWN_AFTER))


def timed(program: Callable[[], int], count: int) -> tuple[float, object]:
    """Run `program` `count` times; give the nanoseconds of one run and the one result that all runs gave."""
    results = {program() for _ in range(min(count, WARMING))}
    start = perf_counter_ns()
    for _ in range(count):
        results.add(program())
    elapsed = perf_counter_ns() - start
    return elapsed / count, _only(results)


async def timed_async(program: Callable[[], Awaitable[int]], count: int) -> tuple[float, object]:
    """Do what `timed` does for a program that must be awaited, inside one event loop."""
    results = {await program() for _ in range(min(count, WARMING))}
    start = perf_counter_ns()
    for _ in range(count):
        results.add(await program())
    elapsed = perf_counter_ns() - start
    return elapsed / count, _only(results)


def _only(results: set[int]) -> object:
    return results.pop() if len(results) == 1 else sorted(results)
