"""The program in `returns`: `FutureResult` chained by `bind`, `lash` for the failure; the service is an argument.

There is no do-notation for a loop there. `Fold.collect` over the twenty containers says the same and is slower, so the
chain stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from returns.future import FutureResult
from returns.result import Failure, Result, Success
from returns.unsafe import unsafe_perform_io

from benchmarks.peers import shelf


@dataclass(frozen=True)
class BookUnknown:
    """No such book."""

    book: int


class Shelf:
    """The service."""

    async def _read(self, book: int) -> Result[int, BookUnknown]:
        found = shelf.copies_of(book)
        return Failure(BookUnknown(book)) if found is None else Success(found)

    def copies(self, book: int) -> FutureResult[int, BookUnknown]:
        """Count the copies of a book."""
        return FutureResult(self._read(book))


def no_copies(_error: BookUnknown) -> FutureResult[int, BookUnknown]:
    """Count an unknown book as none."""
    return FutureResult.from_value(0)


def copies_or_none(held: Shelf, book: int) -> FutureResult[int, BookUnknown]:
    """Count the copies of a book; an unknown one has none."""
    return held.copies(book).lash(no_copies)


def adding(
    copies: Callable[[int], FutureResult[int, BookUnknown]], book: int
) -> Callable[[int], FutureResult[int, BookUnknown]]:
    """Build the step that adds one book's copies to the total so far."""
    return lambda total: copies(book).map(lambda found: total + found)


def count_copies(held: Shelf) -> FutureResult[int, BookUnknown]:
    """Count all copies; an unknown book has none."""
    total: FutureResult[int, BookUnknown] = FutureResult.from_value(0)
    for book in shelf.KNOWN_BEFORE:
        total = total.bind(adding(held.copies, book))
    total = total.bind(adding(lambda unknown: copies_or_none(held, unknown), shelf.UNKNOWN))
    for book in shelf.KNOWN_AFTER:
        total = total.bind(adding(held.copies, book))
    return total


async def counted(held: Shelf) -> int:
    """Run the program and take its total."""
    return unsafe_perform_io((await count_copies(held)).unwrap())


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    held = Shelf()
    return asyncio.run(shelf.timed_async(lambda: counted(held), count))
