"""The program in `stateless` as its own introduction writes services: needed at each call, called synchronously.

Nothing is awaited, which spares it what the other programs pay for: an advantage, which we leave it.
"""

from __future__ import annotations

import asyncio

from stateless import Effect, Need, catch, need, run_async, supply, throw

from benchmarks.peers import shelf


class BookUnknown(Exception):
    """No such book."""


class Shelf:
    """The service."""

    def copies(self, book: int) -> int | None:
        """Count the copies of a book; None: no such book."""
        return shelf.copies_of(book)


def copies(book: int) -> Effect[Need[Shelf], BookUnknown, int]:
    """Count the copies of a book."""
    held = yield from need(Shelf)
    found = held.copies(book)
    if found is None:
        return (yield from throw(BookUnknown(book)))
    return found


copies_or_error = catch(BookUnknown)(copies)


def count_copies() -> Effect[Need[Shelf], BookUnknown, int]:
    """Count all copies; an unknown book has none."""
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield from copies(book)
    outcome = yield from copies_or_error(shelf.UNKNOWN)
    total += 0 if isinstance(outcome, BookUnknown) else outcome
    for book in shelf.KNOWN_AFTER:
        total += yield from copies(book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    program = supply(Shelf())(count_copies)
    return asyncio.run(shelf.timed_async(lambda: run_async(program()), count))
