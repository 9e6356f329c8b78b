"""The interpreter, step by step, against the same step in plain coroutines.

Each pair gives the nanoseconds of one step and the same answer. The run around the steps is timed too: it is entered
once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Never, Protocol

from attrs import frozen

from effect_runtime import Do, Eff, ask, catch, do, fail, operation, run, succeed

WARMING = 1_000
DEPTH = 50


@frozen
class BookUnknown:
    """A declared failure."""

    book: int


class BookMissing(Exception):
    """The same failure, as plain Python says it."""


class Shelf(Protocol):
    """The port."""

    def copies(self, book: int) -> Eff[int]:
        """Count the copies of a book."""
        ...


class MemoryShelf:
    """The adapter: one method body, awaited by the plain side and performed by ours."""

    async def read(self, book: int) -> int:
        """Count the copies of a book."""
        return book & 3

    copies = operation(kind="local")(read)


@frozen
class Holdings:
    """The runtime."""

    shelf: Shelf


def no_copies(_error: BookUnknown) -> Eff[int]:
    """Answer a failure with a step."""
    return ONE


ONE = succeed(1)
ASKED = ask[int]()
"""An effect that only the loop can answer, unlike `succeed`, whose value a do-block takes without a trip."""
or_one = catch(BookUnknown, no_copies)


@do
def operations(count: int) -> Do[int, Never, Holdings]:
    """Perform `count` service operations."""
    shelf = (yield from ask[Holdings]()).shelf
    total = 0
    for book in range(count):
        total += yield from shelf.copies(book)
    return total


async def awaits(count: int) -> int:
    """Await the method of the service `count` times."""
    shelf = MemoryShelf()
    total = 0
    for book in range(count):
        total += await shelf.read(book)
    return total


@do
def steps(count: int) -> Do[int, Never, int]:
    """Yield one effect value, built beforehand, `count` times."""
    total = 0
    for _ in range(count):
        total += yield from ASKED
    return total


async def one() -> int:
    """Be the smallest coroutine."""
    return 1


async def small_awaits(count: int) -> int:
    """Await the smallest coroutine `count` times."""
    total = 0
    for _ in range(count):
        total += await one()
    return total


@do
def level(below: int) -> Do[int, Never, int]:
    """Be one of `below` nested do-blocks; the innermost yields one step."""
    if below == 0:
        return (yield from ASKED)
    return 1 + (yield from level(below - 1))


@do
def nests(count: int) -> Do[int, Never, int]:
    """Enter the whole nest as often as gives about `count` levels."""
    total = 0
    for _ in range(count // DEPTH):
        total += yield from level(DEPTH - 1)
    return total


async def coroutine_level(below: int) -> int:
    """Be one of `below` nested coroutines."""
    if below == 0:
        return await one()
    return 1 + await coroutine_level(below - 1)


async def coroutine_nests(count: int) -> int:
    """Enter the whole nest of coroutines as often as gives about `count` levels."""
    total = 0
    for _ in range(count // DEPTH):
        total += await coroutine_level(DEPTH - 1)
    return total


@do
def catches(count: int) -> Do[int]:
    """Build a failure, fail with it and catch it by its type, `count` times."""
    total = 0
    for book in range(count):
        total += yield from fail(BookUnknown(book)).pipe(or_one)
    return total


async def missing(book: int) -> int:
    """Raise."""
    raise BookMissing(book)


async def excepts(count: int) -> int:
    """Raise an exception from a coroutine and catch it, `count` times."""
    total = 0
    for book in range(count):
        try:
            total += await missing(book)
        except BookMissing:
            total += 1
    return total


def measure_operations(count: int) -> tuple[float, object]:
    """Time one service operation."""
    return _timed(lambda number: run(operations(number), Holdings(MemoryShelf())), count)


def measure_awaits(count: int) -> tuple[float, object]:
    """Time one await of the same method."""
    return _timed(awaits, count)


def measure_steps(count: int) -> tuple[float, object]:
    """Time one step of a do-block."""
    return _timed(lambda number: run(steps(number), 1), count)


def measure_small_awaits(count: int) -> tuple[float, object]:
    """Time one await of the smallest coroutine."""
    return _timed(small_awaits, count)


def measure_nests(count: int) -> tuple[float, object]:
    """Time one level of nested do-blocks."""
    return _timed(lambda number: run(nests(number), 1), count)


def measure_coroutine_nests(count: int) -> tuple[float, object]:
    """Time one level of nested coroutines."""
    return _timed(coroutine_nests, count)


def measure_catches(count: int) -> tuple[float, object]:
    """Time one failure, caught."""
    return _timed(lambda number: run(catches(number), None), count)


def measure_excepts(count: int) -> tuple[float, object]:
    """Time one exception, caught."""
    return _timed(excepts, count)


def _timed(program: Callable[[int], Awaitable[int]], count: int) -> tuple[float, object]:
    async def timed() -> tuple[float, object]:
        await program(WARMING)
        start = perf_counter_ns()
        answer = await program(count)
        return (perf_counter_ns() - start) / count, answer

    return asyncio.run(timed())
