"""A small library of services and programs that the tests of the interpreter run."""

from __future__ import annotations

from typing import Never, Protocol

import anyio.lowlevel
from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime.effect import Do, Eff, do
from effect_runtime.runtime import ask, operation


@frozen
class BookUnknown:
    """A failure."""

    book: int


@frozen
class ShelfFull:
    """Another failure."""

    shelf: str


class ShelfBroken(Exception):
    """A defect."""


class Shelf(Protocol):
    """A port."""

    def copies(self, book: int) -> Eff[int, BookUnknown]:
        """Count the copies of a book."""
        ...

    def put(self, book: int, *, count: int = 1) -> Eff[None]:
        """Put copies of a book on the shelf."""
        ...

    def collapse(self) -> Eff[None]:
        """Break down."""
        ...


@define
class MemoryShelf:
    """An adapter that lets other tasks run at every call, and keeps a journal of calls."""

    books: dict[int, int] = field(factory=dict)
    journal: list[str] = field(factory=list)

    @operation(kind="transactional")
    async def copies(self, book: int) -> Result[int, BookUnknown]:
        """Count the copies of a book."""
        self.journal.append(f"copies {book}")
        await anyio.lowlevel.checkpoint()
        return Success(self.books[book]) if book in self.books else Failure(BookUnknown(book))

    @operation(kind="transactional")
    async def put(self, book: int, *, count: int = 1) -> None:
        """Put copies of a book on the shelf."""
        self.journal.append(f"put {book}")
        await anyio.lowlevel.checkpoint()
        self.books[book] = self.books.get(book, 0) + count

    @operation(kind="external")
    async def collapse(self) -> None:
        """Break down."""
        self.journal.append("collapse")
        await anyio.lowlevel.checkpoint()
        raise ShelfBroken("it fell")


@define
class SyncShelf:
    """An adapter that never waits."""

    books: dict[int, int] = field(factory=dict)

    @operation(kind="local")
    async def copies(self, book: int) -> Result[int, BookUnknown]:
        """Count the copies of a book."""
        return Success(self.books[book]) if book in self.books else Failure(BookUnknown(book))

    @operation(kind="local")
    async def put(self, book: int, *, count: int = 1) -> None:
        """Put copies of a book on the shelf."""
        self.books[book] = self.books.get(book, 0) + count

    @operation(kind="local")
    async def collapse(self) -> None:
        """Break down."""
        raise ShelfBroken("it fell")


class HasShelf(Protocol):
    """What the programs need."""

    @property
    def shelf(self) -> Shelf:
        """Return the shelf."""
        ...


@frozen
class Reading:
    """A runtime of one shelf."""

    shelf: Shelf


@do
def copies_of(book: int) -> Do[int, BookUnknown, HasShelf]:
    """Count the copies of a book."""
    runtime = yield from ask[HasShelf]()
    return (yield from runtime.shelf.copies(book))


@do
def put(book: int) -> Do[None, Never, HasShelf]:
    """Put a book on the shelf."""
    runtime = yield from ask[HasShelf]()
    yield from runtime.shelf.put(book)


@do
def collapse() -> Do[None, Never, HasShelf]:
    """Break the shelf down."""
    runtime = yield from ask[HasShelf]()
    yield from runtime.shelf.collapse()


def reading(**books: int) -> Reading:
    """Return a runtime whose shelf holds `book_1=2` two copies of book 1."""
    return Reading(MemoryShelf({int(name.removeprefix("book_")): count for name, count in books.items()}))
