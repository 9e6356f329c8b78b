"""The program in `expression`: a `Result` for the failure, the `async_result` builder; the service is an argument."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from expression import Error, Ok, Result, effect

from benchmarks.peers import shelf


@dataclass(frozen=True)
class BookUnknown:
    """No such book."""

    book: int


class Shelf:
    """The service."""

    async def copies(self, book: int) -> Result[int, BookUnknown]:
        """Count the copies of a book."""
        found = shelf.copies_of(book)
        return Error(BookUnknown(book)) if found is None else Ok(found)


@effect.async_result[int, BookUnknown]()
async def count_copies(held: Shelf) -> AsyncGenerator[int, int]:
    """Count all copies; an unknown book has none."""
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += await (await held.copies(book))
    total += (await held.copies(shelf.UNKNOWN)).default_value(0)
    for book in shelf.KNOWN_AFTER:
        total += await (await held.copies(book))
    yield total


async def counted(held: Shelf) -> int:
    """Run the program and take its total, which cannot fail: the one failure was caught."""
    return (await count_copies(held)).default_value(-1)


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    held = Shelf()
    return asyncio.run(shelf.timed_async(lambda: counted(held), count))
