"""The catalog's ports over one SQLite file: its table, and the statements that read and write it.

The rules stand in the pure decisions; the checks of the table are there so that not even a bug can break them.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from returns.result import Failure, Result, Success

from effect_runtime import ReadTransaction, Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession
from library_example.catalog.domain import Book, BookUnknown, Isbn, IsbnTaken
from library_example.catalog.ports import CatalogReads, CatalogRuntime
from library_example.contracts import BookId
from library_example.paging import Listing, Page, listing

MIGRATIONS = (
    Migration(
        1,
        "books",
        (
            """CREATE TABLE book (
                id TEXT PRIMARY KEY,
                title TEXT NOT NULL,
                isbn TEXT NOT NULL UNIQUE,
                author TEXT NOT NULL,
                total INTEGER NOT NULL CHECK (total >= 0),
                on_loan INTEGER NOT NULL CHECK (on_loan >= 0),
                searchable TEXT NOT NULL
            ) STRICT""",
            "CREATE INDEX book_by_title ON book (title, id)",
        ),
    ),
)

_BOOK = "id, title, isbn, author, total, on_loan"


@frozen
class SqliteBookReads:
    """Read books from the table `book`."""

    session: SqliteReadSession | SqliteSession

    @operation(kind="transactional")
    async def get(self, book_id: BookId) -> Result[Book, BookUnknown]:
        """Read one book."""
        row = await self.session.fetch_one(f"SELECT {_BOOK} FROM book WHERE id = ?", (book_id,))
        return Failure(BookUnknown(book_id)) if row is None else Success(_book(row))

    @operation(kind="transactional")
    async def search(self, text: str, page: Page) -> Listing[Book]:
        """Read the books whose title, author or ISBN contains `text`, in any case."""
        # Not LIKE: it knows the case of ASCII letters only, and reads % and _ in what a reader typed.
        return await self._page(page, "instr(searchable, ?) > 0", text.casefold())

    @operation(kind="transactional")
    async def available(self, page: Page) -> Listing[Book]:
        """Read the books that have a copy in the house."""
        return await self._page(page, "total > on_loan")

    @operation(kind="transactional")
    async def overlent(self, page: Page) -> Listing[Book]:
        """Read the books of which more copies are out than we own."""
        return await self._page(page, "on_loan > total")

    async def _page(self, page: Page, wanted: str, *parameters: str) -> Listing[Book]:
        if page.after is not None:
            # Of a book that never was the subquery is NULL, and nothing is greater than that.
            wanted += " AND (title, id) > (SELECT title, id FROM book WHERE id = ?)"
            parameters = (*parameters, page.after)
        # One more than the page holds: whether it is there is whether there is a next page.
        rows = await self.session.fetch_all(
            f"SELECT {_BOOK} FROM book WHERE {wanted} ORDER BY title, id LIMIT ?", (*parameters, page.size + 1)
        )
        return listing([_book(row) for row in rows], page)


@frozen
class SqliteBooks(SqliteBookReads):
    """Keep books in the table `book`."""

    session: SqliteSession

    @operation(kind="transactional")
    async def add(self, book: Book) -> Result[None, IsbnTaken]:
        """Keep a new book."""
        added = await self.session.fetch_one(
            f"INSERT INTO book ({_BOOK}, searchable) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (isbn) DO NOTHING RETURNING id",
            (book.id, book.title, book.isbn.digits, book.author, book.total, book.on_loan, book.searchable),
        )
        return Failure(IsbnTaken(book.isbn)) if added is None else Success(None)

    @operation(kind="transactional")
    async def save_counts(self, book: Book) -> None:
        """Write the total and the copies on loan of a book that was read before."""
        await self.session.execute(
            "UPDATE book SET total = ?, on_loan = ? WHERE id = ?", (book.total, book.on_loan, book.id)
        )


def make_catalog(tx: Transaction[SqliteSession]) -> CatalogRuntime:
    """Build what one command of the catalog may use."""
    return CatalogRuntime(books=SqliteBooks(tx.session), clock=tx.clock, ids=tx.ids, outbox=tx.outbox)


def make_catalog_reads(tx: ReadTransaction[SqliteReadSession]) -> CatalogReads:
    """Build what one query of the catalog may use."""
    return CatalogReads(books=SqliteBookReads(tx.session))


def _book(row: Any) -> Book:
    id_, title, isbn, author, total, on_loan = row
    return Book(id=id_, title=title, isbn=Isbn(isbn), author=author, total=total, on_loan=on_loan)
