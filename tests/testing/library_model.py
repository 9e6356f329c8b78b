"""A model of the whole library for the generated machine: the rules of the hand-written one, applied to commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import evolve

from effect_runtime import Failed, Succeeded
from effect_runtime.testing.properties import Drawn, Read
from library_example.catalog.domain import Book, BookUnknown, IsbnTaken
from library_example.catalog.handlers import AddBook, ChangeCopies, GetBook, get_book
from library_example.contracts import BookId, HoldId, LoanId, PatronId
from library_example.lending import domain as lent
from library_example.lending.handlers import (
    BlockPatron,
    BorrowBook,
    CancelHold,
    GetShelf,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    get_shelf,
)
from tests.library_example.model import Model


class LibraryModel(Model):
    """What each command of the library must end with."""

    def apply(self, message: Any, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Handle one command."""
        match message:
            case AddBook():
                return self.add_book(message, drawn)
            case ChangeCopies(book, copies):
                if book not in self.books:
                    return Failed(BookUnknown(book))
                self.books[book] = evolve(self.books[book], total=copies)
                self.serve(book, drawn)
                return Succeeded(None)
            case RegisterPatron():
                return self.register(message, drawn)
            case BlockPatron(patron, blocked):
                if patron not in self.patrons:
                    return Failed(lent.PatronUnknown(patron))
                self.patrons[patron] = evolve(self.patrons[patron], blocked=blocked)
                return Succeeded(None)
            case BorrowBook():
                return self.borrow(message, drawn)
            case ReturnBook(loan):
                return self.take_back(loan, drawn)
            case PlaceHold(patron, book):
                return self.wait(patron, book, drawn)
            case CancelHold(hold):
                known = self.holds.pop(hold, None)
                return Failed(lent.HoldUnknown(hold)) if known is None else Succeeded(None)
        raise TypeError(message)

    def add_book(self, message: AddBook, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Keep a book under the id that was drawn."""
        if any(book.isbn == message.isbn for book in self.books.values()):
            return Failed(IsbnTaken(message.isbn))
        id = BookId(str(drawn.uuid()))
        author, title = message.author, message.title
        self.books[id] = Book(id=id, title=title, isbn=message.isbn, author=author, total=message.copies)
        return Succeeded(id)

    def register(self, message: RegisterPatron, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Know a patron under the id that was drawn."""
        if any(patron.email == message.email for patron in self.patrons.values()):
            return Failed(lent.EmailTaken(message.email))
        id = PatronId(str(drawn.uuid()))
        self.patrons[id] = lent.Patron(id=id, name=message.name, email=message.email)
        return Succeeded(id)

    def borrow(self, message: BorrowBook, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Lend, unless the rules forbid it; a hold of the patron's is used up."""
        patron, book = message.patron_id, message.book_id
        refusal = self.stranger(patron, book) or self.refusal(patron, book, message.days)
        if refusal is not None:
            return Failed(refusal)
        self.holds = {id: hold for id, hold in self.holds.items() if (hold.patron_id, hold.book_id) != (patron, book)}
        return Succeeded(self.begin(patron, book, drawn, message.days))

    def take_back(self, id: LoanId, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Close a loan once, and serve the line."""
        loan = self.loans.get(id)
        if loan is None:
            return Failed(lent.LoanUnknown(id))
        if not loan.is_open:
            return Failed(lent.AlreadyReturned(id))
        self.loans[id] = evolve(loan, returned_at=drawn.now())
        self.serve(loan.book_id, drawn)
        return Succeeded(None)

    def wait(self, patron: PatronId, book: BookId, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Stand in line, and be served at once if a copy stands on the shelf."""
        refusal = self.stranger(patron, book) or self.hold_refusal(patron, book)
        if refusal is not None:
            return Failed(refusal)
        id, line = HoldId(str(drawn.uuid())), self.line(book)
        place = line[-1].place + 1 if line else 1
        self.holds[id] = lent.Hold(id=id, patron_id=patron, book_id=book, place=place)
        self.serve(book, drawn)
        return Succeeded(id)

    def stranger(self, patron: PatronId, book: BookId) -> object | None:
        """Return who or what nobody knows."""
        if patron not in self.patrons:
            return lent.PatronUnknown(patron)
        return None if book in self.books else lent.BookUnknown(book)

    def serve(self, book: BookId, drawn: Drawn) -> None:
        """Let the line have the free copies, in place order."""
        for hold in self.entitled(book)[: self.free(book)]:
            del self.holds[hold.id]
            self.begin(hold.patron_id, book, drawn)

    def begin(self, patron: PatronId, book: BookId, drawn: Drawn, days: int = 14) -> LoanId:
        """Begin a loan under the id that was drawn."""
        id, now, copy = LoanId(str(drawn.uuid())), drawn.now(), lent.free_copy(self.out(book))
        self.loans[id] = lent.Loan(
            id=id, patron_id=patron, book_id=book, copy=copy, borrowed_at=now, due_at=now + timedelta(days=days)
        )
        return id


def shelves_hold_what_the_catalog_says(model: LibraryModel, read: Read) -> bool:
    """Once quiet, lending knows of every book how many copies there are and which loans are open."""
    return all(
        (state := read(get_shelf(GetShelf(book.id)))).shelf.copies == book.total and state.out == model.out(book.id)
        for book in model.books.values()
    )


def copies_out_are_open_loans(model: LibraryModel, read: Read) -> bool:
    """Once quiet, the catalog counts as many copies out as lending has open loans."""
    return all(
        read(get_book(GetBook(book.id))) == evolve(book, on_loan=len(model.out(book.id)))
        for book in model.books.values()
    )
