"""The program in `effect`: intents, a dispatcher, `@do`, `try` and `except` around a yield.

The package brings performers for synchronous code only (its asynchronous ones were made for Twisted), so here the
shelf is read synchronously: an advantage for it, which we leave it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from effect import ComposedDispatcher, Effect, TypeDispatcher, base_dispatcher, sync_perform, sync_performer
from effect.do import do

from benchmarks.peers import shelf


class BookUnknown(Exception):
    """No such book."""


@dataclass(frozen=True)
class Copies:
    """The intent: count the copies of a book."""

    book: int


@sync_performer
def perform_copies(_dispatcher: Any, intent: Copies) -> int:
    """Count the copies of a book."""
    found = shelf.copies_of(intent.book)
    if found is None:
        raise BookUnknown(intent.book)
    return found


@do
def count_copies() -> Generator[Effect, Any, int]:
    """Count all copies; an unknown book has none."""
    total = 0
    for book in shelf.KNOWN_BEFORE:
        total += yield Effect(Copies(book))
    try:
        total += yield Effect(Copies(shelf.UNKNOWN))
    except BookUnknown:
        total += 0
    for book in shelf.KNOWN_AFTER:
        total += yield Effect(Copies(book))
    return total


def measure(count: int) -> tuple[float, object]:
    """Time one run of the program."""
    dispatcher = ComposedDispatcher([TypeDispatcher({Copies: perform_copies}), base_dispatcher])
    program = count_copies()
    return shelf.timed(lambda: sync_perform(dispatcher, program), count)
