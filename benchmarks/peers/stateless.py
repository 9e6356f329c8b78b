"""The program in `stateless`: generators that yield abilities and errors; `need`, `wait`, `throw`, `catch`, `supply`.

An exception of an awaited coroutine does not reach a `stateless` generator, so the service answers None and the
effect throws. The generator is used up by a run, hence a new one for each.
"""

from __future__ import annotations

import asyncio

from stateless import Async, Effect, Need, catch, need, run_async, supply, throw, wait

from benchmarks.peers import shelf


class BookUnknown(Exception):
    """No such book."""


class Shelf:
    """The service."""

    async def copies(self, book: int) -> int | None:
        """Count the copies of a book; None: no such book."""
        return shelf.copies_of(book)


def copies(held: Shelf, book: int) -> Effect[Async, BookUnknown, int]:
    """Count the copies of a book."""
    found = yield from wait(held.copies(book))
    if found is None:
        return (yield from throw(BookUnknown(book)))
    return found


copies_or_error = catch(BookUnknown)(copies)


def count_copies() -> Effect[Need[Shelf] | Async, BookUnknown, int]:
    """Count all copies; an unknown book has none."""
    held = yield from need(Shelf)
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield from copies(held, book)
    outcome = yield from copies_or_error(held, shelf.UNKNOWN)
    total += 0 if isinstance(outcome, BookUnknown) else outcome
    for book in shelf.KNOWN_AFTER:
        total += yield from copies(held, book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    program = supply(Shelf())(count_copies)
    return asyncio.run(shelf.timed_async(lambda: run_async(program()), count))
