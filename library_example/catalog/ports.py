"""What the catalog needs from the outside, and the two runtimes that hold it. Knows no database."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from effect_runtime import Eff, Outbox
from effect_runtime.runtime import Clock, Ids
from library_example.catalog.domain import Book, BookUnknown, IsbnTaken
from library_example.contracts import BookId, CatalogEvents
from library_example.paging import Listing, Page


class BookReads(Protocol):
    """The books, to be read.

    1. A listing is in the order of title, then id. A page begins after its book's place in that order, whether that
       book is still among those asked for or not; after a book that never was there is nothing.
    """

    def get(self, book_id: BookId) -> Eff[Book, BookUnknown]:
        """Read one book."""
        ...

    def search(self, text: str, page: Page) -> Eff[Listing[Book]]:
        """Read the books whose title, author or ISBN contains `text`, in any case."""
        ...

    def available(self, page: Page) -> Eff[Listing[Book]]:
        """Read the books that have a copy in the house."""
        ...

    def overlent(self, page: Page) -> Eff[Listing[Book]]:
        """Read the books of which more copies are out than we own."""
        ...


class Books(BookReads, Protocol):
    """The books.

    2. Two books never share an ISBN.
    """

    def add(self, book: Book) -> Eff[None, IsbnTaken]:
        """Keep a new book."""
        ...

    def save_counts(self, book: Book) -> Eff[None]:
        """Write the total and the copies on loan of a book that was read before."""
        ...


@frozen
class CatalogRuntime:
    """What a command of the catalog may use."""

    books: Books
    clock: Clock
    ids: Ids
    outbox: Outbox[CatalogEvents]


@frozen
class CatalogReads:
    """What a query of the catalog may use: no way to write or to publish."""

    books: BookReads
