"""Lending's ports over a memory store: for tests, and to try things out. Held to the same contract as SQLite."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime

from attrs import evolve, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import ReadTransaction, Transaction, operation
from effect_runtime.outbox.memory import MemoryReadSession, MemorySession
from library_example.contracts import BookId, HoldId, LoanId, PatronId
from library_example.lending.domain import (
    BookUnknown,
    EmailTaken,
    Hold,
    Loan,
    LoanUnknown,
    Notice,
    Patron,
    PatronUnknown,
    Shelf,
    Waiting,
)
from library_example.lending.ports import LendingReads, LendingRuntime, Post
from library_example.lending.post import silent
from library_example.paging import Listing, Page, listing


@frozen
class MemoryPatronReads:
    """Read patrons by id."""

    patrons: Mapping[PatronId, Patron]

    @operation(kind="transactional")
    async def get(self, patron_id: PatronId) -> Result[Patron, PatronUnknown]:
        """Read one patron."""
        patron = self.patrons.get(patron_id)
        return Failure(PatronUnknown(patron_id)) if patron is None else Success(patron)


@frozen
class MemoryPatrons(MemoryPatronReads):
    """Keep patrons by id, and their ids by e-mail address."""

    patrons: MutableMapping[PatronId, Patron]
    by_email: MutableMapping[str, PatronId]

    @operation(kind="transactional")
    async def add(self, patron: Patron) -> Result[None, EmailTaken]:
        """Register a new patron."""
        if patron.email in self.by_email:
            return Failure(EmailTaken(patron.email))
        self.by_email[patron.email] = patron.id
        self.patrons[patron.id] = patron
        return Success(None)

    @operation(kind="transactional")
    async def block(self, patron_id: PatronId, blocked: bool) -> Result[None, PatronUnknown]:
        """Block a patron or lift the block."""
        if patron_id not in self.patrons:
            return Failure(PatronUnknown(patron_id))
        self.patrons[patron_id] = evolve(self.patrons[patron_id], blocked=blocked)
        return Success(None)

    @operation(kind="transactional")
    async def count_loans(self, patron_id: PatronId, change: int) -> None:
        """Add `change` to the number of a patron's active loans."""
        patron = self.patrons[patron_id]
        self.patrons[patron_id] = evolve(patron, active_loans=patron.active_loans + change)


@frozen
class MemoryLoanReads:
    """Read loans from a table that keeps the order in which they began."""

    loans: Mapping[LoanId, Loan]

    @operation(kind="transactional")
    async def of_patron(self, patron_id: PatronId) -> tuple[Loan, ...]:
        """Read all loans of one patron, oldest first."""
        return tuple(loan for loan in self.loans.values() if loan.patron_id == patron_id)

    @operation(kind="transactional")
    async def open_of(self, book_id: BookId) -> tuple[Loan, ...]:
        """Read the loans of one book that are still open, oldest first."""
        return tuple(loan for loan in self.loans.values() if loan.book_id == book_id and loan.is_open)

    @operation(kind="transactional")
    async def overdue(self, page: Page) -> Listing[Loan]:
        """Read the open loans that are marked as overdue."""
        following = sorted(self.loans.values(), key=_due)
        if page.after is not None:
            last = self.loans.get(LoanId(page.after))
            following = [] if last is None else [loan for loan in following if _due(loan) > _due(last)]
        return listing([loan for loan in following if loan.overdue and loan.is_open], page)


@frozen
class MemoryLoans(MemoryLoanReads):
    """Keep loans by id."""

    loans: MutableMapping[LoanId, Loan]

    @operation(kind="transactional")
    async def get(self, loan_id: LoanId) -> Result[Loan, LoanUnknown]:
        """Read one loan."""
        loan = self.loans.get(loan_id)
        return Failure(LoanUnknown(loan_id)) if loan is None else Success(loan)

    @operation(kind="transactional")
    async def save(self, loan: Loan) -> None:
        """Write a loan, new or changed."""
        self.loans[loan.id] = loan


@frozen
class MemoryHoldReads:
    """Read holds from a table by id."""

    holds: Mapping[HoldId, Hold]

    @operation(kind="transactional")
    async def of_book(self, book_id: BookId) -> tuple[Hold, ...]:
        """Read the holds of one book in place order."""
        return self._of_book(book_id)

    def _of_book(self, book_id: BookId) -> tuple[Hold, ...]:
        holds = [hold for hold in self.holds.values() if hold.book_id == book_id]
        return tuple(sorted(holds, key=lambda hold: hold.place))


@frozen
class MemoryHolds(MemoryHoldReads):
    """Keep holds by id, beside the patrons who placed them."""

    holds: MutableMapping[HoldId, Hold]
    patrons: Mapping[PatronId, Patron]

    @operation(kind="transactional")
    async def line(self, book_id: BookId) -> tuple[Waiting, ...]:
        """Read who waits for a book in place order."""
        return tuple(Waiting(hold, self.patrons[hold.patron_id]) for hold in self._of_book(book_id))

    @operation(kind="transactional")
    async def add(self, hold: Hold) -> None:
        """Keep a new hold."""
        self.holds[hold.id] = hold

    @operation(kind="transactional")
    async def remove(self, hold_id: HoldId) -> bool:
        """Take a hold out of the line; return False if it was not there."""
        return self.holds.pop(hold_id, None) is not None


@frozen
class MemoryShelfReads:
    """Read shelves by book."""

    shelves: Mapping[BookId, Shelf]

    @operation(kind="transactional")
    async def get(self, book_id: BookId) -> Result[Shelf, BookUnknown]:
        """Read the shelf of one book."""
        shelf = self.shelves.get(book_id)
        return Failure(BookUnknown(book_id)) if shelf is None else Success(shelf)


@frozen
class MemoryShelves(MemoryShelfReads):
    """Keep shelves by book."""

    shelves: MutableMapping[BookId, Shelf]

    @operation(kind="transactional")
    async def save(self, shelf: Shelf) -> None:
        """Write a shelf, new or changed."""
        self.shelves[shelf.book_id] = shelf


@frozen
class MemoryNotifications:
    """Keep a notice under its idempotency key, as who carries it would: a second one changes nothing."""

    notices: MutableMapping[str, Notice]
    key: str

    @operation(kind="external", idempotent=True)
    async def send(self, notice: Notice) -> None:
        """Keep a notice."""
        # The first one stands, as with a server that has seen the Message-ID before.
        self.notices.setdefault(self.key, notice)


@frozen
class Postbox:
    """A post for tests, and for the story: it keeps what was sent, and carries it nowhere."""

    notices: MutableMapping[str, Notice] = field(factory=dict)

    def __call__(self, key: str) -> MemoryNotifications:
        """Return the notifications of one message."""
        return MemoryNotifications(self.notices, key)


def make_lending(tx: Transaction[MemorySession], post: Post = silent) -> LendingRuntime:
    """Build what one command of lending may use."""
    return LendingRuntime(
        patrons=MemoryPatrons(tx.session.table("patrons"), tx.session.table("emails")),
        loans=MemoryLoans(tx.session.table("loans")),
        holds=MemoryHolds(tx.session.table("holds"), tx.session.table("patrons")),
        shelves=MemoryShelves(tx.session.table("shelves")),
        notifications=post(tx.message.idempotency_key),
        clock=tx.clock,
        ids=tx.ids,
        events=tx.events,
        due=tx.due,
        outbox=tx.outbox,
    )


def make_lending_reads(tx: ReadTransaction[MemoryReadSession]) -> LendingReads:
    """Build what one query of lending may use."""
    return LendingReads(
        patrons=MemoryPatronReads(tx.session.table("patrons")),
        loans=MemoryLoanReads(tx.session.table("loans")),
        holds=MemoryHoldReads(tx.session.table("holds")),
        shelves=MemoryShelfReads(tx.session.table("shelves")),
    )


def _due(loan: Loan) -> tuple[datetime, str]:
    return loan.due_at, loan.id
