"""The catalog's ports over a memory store: for tests, and to try things out. Held to the same contract as SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping

from attrs import evolve, frozen
from returns.result import Failure, Result, Success

from effect_runtime import ReadTransaction, Transaction, operation
from effect_runtime.outbox.memory import MemoryReadSession, MemorySession
from library_example.catalog.domain import Book, BookUnknown, Isbn, IsbnTaken
from library_example.catalog.ports import CatalogReads, CatalogRuntime
from library_example.contracts import BookId
from library_example.paging import Listing, Page, listing


@frozen
class MemoryBookReads:
    """Read books from a table by id."""

    books: Mapping[BookId, Book]

    @operation(kind="transactional")
    async def get(self, book_id: BookId) -> Result[Book, BookUnknown]:
        """Read one book."""
        book = self.books.get(book_id)
        return Failure(BookUnknown(book_id)) if book is None else Success(book)

    @operation(kind="transactional")
    async def search(self, text: str, page: Page) -> Listing[Book]:
        """Read the books whose title, author or ISBN contains `text`, in any case."""
        return self._page(page, lambda book: text.casefold() in book.searchable)

    @operation(kind="transactional")
    async def available(self, page: Page) -> Listing[Book]:
        """Read the books that have a copy in the house."""
        return self._page(page, lambda book: book.available > 0)

    @operation(kind="transactional")
    async def overlent(self, page: Page) -> Listing[Book]:
        """Read the books of which more copies are out than we own."""
        return self._page(page, lambda book: book.overlent)

    def _page(self, page: Page, wanted: Callable[[Book], bool]) -> Listing[Book]:
        following = sorted(self.books.values(), key=_place)
        if page.after is not None:
            # Its place is looked up among all books: it may no longer be among those that are wanted.
            last = self.books.get(BookId(page.after))
            following = [] if last is None else [book for book in following if _place(book) > _place(last)]
        return listing(list(filter(wanted, following)), page)


@frozen
class MemoryBooks(MemoryBookReads):
    """Keep books by id, and their ids by ISBN."""

    books: MutableMapping[BookId, Book]
    by_isbn: MutableMapping[Isbn, BookId]

    @operation(kind="transactional")
    async def add(self, book: Book) -> Result[None, IsbnTaken]:
        """Keep a new book."""
        if book.isbn in self.by_isbn:
            return Failure(IsbnTaken(book.isbn))
        self.by_isbn[book.isbn] = book.id
        self.books[book.id] = book
        return Success(None)

    @operation(kind="transactional")
    async def save_counts(self, book: Book) -> None:
        """Write the total and the copies on loan of a book that was read before."""
        self.books[book.id] = evolve(self.books[book.id], total=book.total, on_loan=book.on_loan)


def make_catalog(tx: Transaction[MemorySession]) -> CatalogRuntime:
    """Build what one command of the catalog may use."""
    return CatalogRuntime(
        books=MemoryBooks(tx.session.table("books"), tx.session.table("isbns")),
        clock=tx.clock,
        ids=tx.ids,
        outbox=tx.outbox,
    )


def make_catalog_reads(tx: ReadTransaction[MemoryReadSession]) -> CatalogReads:
    """Build what one query of the catalog may use."""
    return CatalogReads(books=MemoryBookReads(tx.session.table("books")))


def _place(book: Book) -> tuple[str, str]:
    return book.title, book.id
