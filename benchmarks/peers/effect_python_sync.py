"""The program in `effect-python` as its own introduction writes services: asked for at each call, called synchronously.

Nothing is awaited and `run_sync` needs no event loop: an advantage, which we leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from effect_py import Effect, EffectGen, fn, gen, layer, provide, run_sync, service, succeed
from effect_py.errors import TaggedError, catch_tag

from benchmarks.peers import shelf


@dataclass
class BookUnknown(TaggedError):
    """No such book."""

    book: int


class Shelf(Protocol):
    """The service tag."""

    def copies(self, book: int) -> int | None:
        """Count the copies of a book; None: no such book."""
        ...


class MemoryShelf:
    """The implementation."""

    def copies(self, book: int) -> int | None:
        """Count the copies of a book; None: no such book."""
        return shelf.copies_of(book)


def copies(book: int) -> EffectGen[int, BookUnknown, Shelf]:
    """Count the copies of a book."""
    held = yield from service(Shelf)
    found = held.copies(book)
    if found is None:
        return (yield from BookUnknown(book))
    return found


def unknown_copies() -> EffectGen[int, BookUnknown, Shelf]:
    """Count the copies of the unknown book."""
    return copies(shelf.UNKNOWN)


def no_copies(_error: BookUnknown) -> Effect[int]:
    """Count an unknown book as none."""
    return succeed(0)


unknown_or_none = gen(unknown_copies).pipe(catch_tag(BookUnknown)(no_copies))


@fn("count_copies")
def count_copies() -> EffectGen[int, BookUnknown, Shelf]:
    """Count all copies; an unknown book has none."""
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield from copies(book)
    total += yield from unknown_or_none
    for book in shelf.KNOWN_AFTER:
        total += yield from copies(book)
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    program = count_copies().pipe(provide(layer.succeed(Shelf, MemoryShelf())))
    return shelf.timed(lambda: run_sync(program), count)
