"""The program in this library: a do-block over a port, `catch` for the one failure."""

from __future__ import annotations

import asyncio
from typing import Protocol

from attrs import frozen
from returns.result import Failure, Result, Success

from benchmarks.peers import shelf
from effect_runtime import Do, Eff, ask, catch, do, operation, run, succeed


@frozen
class BookUnknown:
    """No such book."""

    book: int


class Shelf(Protocol):
    """The port."""

    def copies(self, book: int) -> Eff[int, BookUnknown]:
        """Count the copies of a book."""
        ...


class MemoryShelf:
    """The adapter."""

    @operation(kind="local")
    async def copies(self, book: int) -> Result[int, BookUnknown]:
        """Count the copies of a book."""
        found = shelf.copies_of(book)
        return Failure(BookUnknown(book)) if found is None else Success(found)


@frozen
class Holdings:
    """The runtime."""

    shelf: Shelf


def no_copies(_error: BookUnknown) -> Eff[int]:
    """Count an unknown book as none."""
    return succeed(0)


or_none = catch(BookUnknown, no_copies)


@do
def count_copies() -> Do[int, BookUnknown, Holdings]:
    """Count all copies; an unknown book has none."""
    held = (yield from ask[Holdings]()).shelf
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield from held.copies(book)
    total += yield from held.copies(shelf.UNKNOWN).pipe(or_none)
    for book in shelf.KNOWN_AFTER:
        total += yield from held.copies(book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    holdings = Holdings(MemoryShelf())
    program = count_copies()
    return asyncio.run(shelf.timed_async(lambda: run(program, holdings), count))
