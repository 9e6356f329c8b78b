"""The commands and queries of the catalog, and what answers them. Knows no database, no wire, no other context."""

from __future__ import annotations

from typing import TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import ge, max_len, min_len

from effect_runtime import A, Context, Do, E, Principal, from_result, publish
from library_example.catalog.domain import (
    TITLE_LENGTH,
    Book,
    BookUnknown,
    InventoryBelowZero,
    Isbn,
    IsbnTaken,
    count_out,
)
from library_example.catalog.ports import CatalogReads, CatalogRuntime
from library_example.contracts import AuthorId, BookAdded, BookId, CatalogEvents, CopiesChanged
from library_example.paging import FIRST_PAGE, Listing, Page

catalog = Context(
    "catalog",
    CatalogRuntime,
    reads=CatalogReads,
    publishes=[CatalogEvents],
    modules=["library_example.catalog"],
)
Catalog: TypeAlias = Do[A, E, CatalogRuntime]
Reading: TypeAlias = Do[A, E, CatalogReads]


def by_staff(principal: Principal, _command: object) -> bool:
    """Let only those who work here change what the catalog holds."""
    return "staff" in principal.roles


@frozen
class AddBook:
    """Put a book into the catalog."""

    title: str = field(validator=[min_len(1), max_len(TITLE_LENGTH)])
    isbn: Isbn
    author: AuthorId
    copies: int = field(default=1, validator=ge(0))


@frozen
class ChangeCopies:
    """Own so many copies of a book from now on."""

    book_id: BookId
    copies: int = field(validator=ge(0))


@frozen
class UpdateInventory:
    """Count copies that left the house, or (negative) came back."""

    book_id: BookId
    delta: int


@frozen
class GetBook:
    """Ask for one book."""

    book_id: BookId


@frozen
class SearchBooks:
    """Ask for books by a part of the title, the author or the ISBN."""

    text: str
    page: Page = FIRST_PAGE


@frozen
class GetAvailableBooks:
    """Ask for books that have a copy in the house."""

    page: Page = FIRST_PAGE


@frozen
class GetOverlentBooks:
    """Ask for books of which more copies are out than we own."""

    page: Page = FIRST_PAGE


@catalog.command(access=by_staff)
def add_book(command: AddBook) -> Catalog[BookId, IsbnTaken]:
    """Keep a book, answer with its id and tell the world."""
    rt = yield from catalog.runtime
    number = yield from rt.ids.uuid()
    book = Book(
        id=BookId(str(number)),
        title=command.title,
        isbn=command.isbn,
        author=command.author,
        total=command.copies,
    )
    yield from rt.books.add(book)
    now = yield from rt.clock.now()
    yield from publish(BookAdded(book.id, book.total, now))
    return book.id


@catalog.command(access=by_staff)
def change_copies(command: ChangeCopies) -> Catalog[None, BookUnknown]:
    """Own more or fewer copies and tell the world."""
    rt = yield from catalog.runtime
    book = yield from rt.books.get(command.book_id)
    yield from rt.books.save_counts(evolve(book, total=command.copies))
    now = yield from rt.clock.now()
    yield from publish(CopiesChanged(book.id, command.copies, now))


@catalog.command(access="internal")
def update_inventory(command: UpdateInventory) -> Catalog[None, BookUnknown | InventoryBelowZero]:
    """Count what lending says it lent or took back."""
    rt = yield from catalog.runtime
    book = yield from rt.books.get(command.book_id)
    counted = yield from from_result(count_out(book, command.delta))
    yield from rt.books.save_counts(counted)


@catalog.query(access="public")
def get_book(query: GetBook) -> Reading[Book, BookUnknown]:
    """Answer with one book."""
    rt = yield from catalog.reads
    return (yield from rt.books.get(query.book_id))


@catalog.query(access="public")
def search_books(query: SearchBooks) -> Reading[Listing[Book]]:
    """Answer with one page of the books found."""
    rt = yield from catalog.reads
    return (yield from rt.books.search(query.text, query.page))


@catalog.query(access="public")
def get_available_books(query: GetAvailableBooks) -> Reading[Listing[Book]]:
    """Answer with one page of the books that can be taken home."""
    rt = yield from catalog.reads
    return (yield from rt.books.available(query.page))


@catalog.query(access="public")
def get_overlent_books(query: GetOverlentBooks) -> Reading[Listing[Book]]:
    """Answer with one page of the books of which too many copies are out."""
    rt = yield from catalog.reads
    return (yield from rt.books.overlent(query.page))
