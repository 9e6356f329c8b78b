"""The program without a library: awaits and an exception. The floor, not a rival: it promises none of the types."""

from __future__ import annotations

import asyncio

from benchmarks.peers import shelf


class BookUnknown(Exception):
    """No such book."""


class Shelf:
    """The service, as a class with an async method."""

    async def copies(self, book: int) -> int:
        """Count the copies of a book, or raise `BookUnknown`."""
        found = shelf.copies_of(book)
        if found is None:
            raise BookUnknown(book)
        return found


async def count_copies(held: Shelf) -> int:
    """Count all copies; an unknown book has none."""
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += await held.copies(book)
    try:
        total += await held.copies(shelf.UNKNOWN)
    except BookUnknown:
        total += 0
    for book in shelf.KNOWN_AFTER:
        total += await held.copies(book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    held = Shelf()
    return asyncio.run(shelf.timed_async(lambda: count_copies(held), count))
