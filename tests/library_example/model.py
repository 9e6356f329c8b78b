"""The rules of the library once more, with plain dictionaries: what the life-cycle test compares the app with."""

from __future__ import annotations

from attrs import define, field

from library_example.catalog.domain import Book
from library_example.contracts import BookId, HoldId, LoanId, PatronId
from library_example.lending import domain as lent


@define
class Model:
    """What must be true of the library, in the plainest form."""

    books: dict[BookId, Book] = field(factory=dict)
    patrons: dict[PatronId, lent.Patron] = field(factory=dict)
    loans: dict[LoanId, lent.Loan] = field(factory=dict)
    holds: dict[HoldId, lent.Hold] = field(factory=dict)

    def out(self, book: BookId) -> tuple[lent.Loan, ...]:
        """Return the open loans of a book, in the order in which they began."""
        return tuple(loan for loan in self.loans.values() if loan.book_id == book and loan.is_open)

    def held(self, patron: PatronId) -> tuple[lent.Loan, ...]:
        """Return the open loans of a patron."""
        return tuple(loan for loan in self.loans.values() if loan.patron_id == patron and loan.is_open)

    def refusal(self, patron: PatronId, book: BookId, days: int) -> object | None:
        """Return what a wish to borrow must be refused with; None if it must be granted."""
        if not 1 <= days <= 60:
            return lent.InvalidLoanPeriod(days)
        if self.patrons[patron].blocked:
            return lent.PatronBlocked(patron)
        for loan in self.held(patron):
            if loan.book_id == book:
                return lent.AlreadyBorrowed(loan.id)
        if len(self.held(patron)) >= 5:
            return lent.LoanLimitReached(patron)
        if not self.free(book):
            return lent.NoCopyAvailable(book, min((loan.due_at for loan in self.out(book)), default=None))
        own = next((hold.place for hold in self.line(book) if hold.patron_id == patron), None)
        ahead = [hold for hold in self.entitled(book) if own is None or hold.place < own]
        return lent.HoldOrderBroken(book) if len(ahead) >= self.free(book) else None

    def hold_refusal(self, patron: PatronId, book: BookId) -> object | None:
        """Return what a wish to wait must be refused with; None if it must be granted."""
        if self.patrons[patron].blocked:
            return lent.PatronBlocked(patron)
        for loan in self.held(patron):
            if loan.book_id == book:
                return lent.AlreadyBorrowed(loan.id)
        for hold in self.line(book):
            if hold.patron_id == patron:
                return lent.HoldExists(hold.id)
        return None

    def free(self, book: BookId) -> int:
        """Return how many copies of a book may be lent now."""
        return max(0, self.books[book].total - len(self.out(book)))

    def line(self, book: BookId) -> tuple[lent.Hold, ...]:
        """Return the holds of a book in place order."""
        return tuple(sorted((hold for hold in self.holds.values() if hold.book_id == book), key=lambda one: one.place))

    def entitled(self, book: BookId) -> tuple[lent.Hold, ...]:
        """Return the holds of a book whose patrons may borrow now."""
        return tuple(
            hold
            for hold in self.line(book)
            if not self.patrons[hold.patron_id].blocked and len(self.held(hold.patron_id)) < 5
        )
