"""The program in `effect-python`: `fn`, `service`, `try_async`, `catch_tag`, a layer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from effect_py import Effect, EffectGen, fn, layer, provide, run_async, service, succeed, try_async
from effect_py.errors import TaggedError, catch_tag

from benchmarks.peers import shelf


@dataclass
class BookUnknown(TaggedError):
    """No such book."""

    book: int


class Shelf(Protocol):
    """The service tag."""

    def copies(self, book: int) -> Effect[int, BookUnknown]:
        """Count the copies of a book."""
        ...


class BookMissing(Exception):
    """What the driver beneath the service raises."""


class MemoryShelf:
    """The implementation."""

    async def _read(self, book: int) -> int:
        found = shelf.copies_of(book)
        if found is None:
            raise BookMissing
        return found

    def copies(self, book: int) -> Effect[int, BookUnknown]:
        """Count the copies of a book."""
        return try_async(lambda: self._read(book), lambda _error: BookUnknown(book))


def no_copies(_error: BookUnknown) -> Effect[int]:
    """Count an unknown book as none."""
    return succeed(0)


or_none = catch_tag(BookUnknown)(no_copies)


@fn("count_copies")
def count_copies() -> EffectGen[int, BookUnknown, Shelf]:
    """Count all copies; an unknown book has none."""
    held = yield from service(Shelf)
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield from held.copies(book)
    total += yield from held.copies(shelf.UNKNOWN).pipe(or_none)
    for book in shelf.KNOWN_AFTER:
        total += yield from held.copies(book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    program = count_copies().pipe(provide(layer.succeed(Shelf, MemoryShelf())))
    return asyncio.run(shelf.timed_async(lambda: run_async(program), count))
