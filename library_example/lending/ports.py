"""What lending needs from the outside, and the two runtimes that hold it. Knows no database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from attrs import frozen

from effect_runtime import Eff, Events, Outbox
from effect_runtime.dispatch import Due
from effect_runtime.runtime import Clock, Ids
from library_example.contracts import BookId, HoldId, LendingEvents, LoanId, PatronId
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
    Undeliverable,
    Waiting,
)
from library_example.paging import Listing, Page


class PatronReads(Protocol):
    """The register of patrons, to be read."""

    def get(self, patron_id: PatronId) -> Eff[Patron, PatronUnknown]:
        """Read one patron."""
        ...


class Patrons(PatronReads, Protocol):
    """The register of patrons.

    1. Two patrons never share an e-mail address.
    2. `count_loans` adds to a patron's count of active loans.
    """

    def add(self, patron: Patron) -> Eff[None, EmailTaken]:
        """Register a new patron."""
        ...

    def block(self, patron_id: PatronId, blocked: bool) -> Eff[None, PatronUnknown]:
        """Block a patron or lift the block."""
        ...

    def count_loans(self, patron_id: PatronId, change: int) -> Eff[None]:
        """Add `change` to the number of a patron's active loans."""
        ...


class LoanReads(Protocol):
    """The loans, to be read.

    1. The listing of overdue loans is in the order of their due days, then ids. A page begins after its loan's place in
       that order, whether that loan is still overdue or not; after a loan that never was there is nothing.
    """

    def of_patron(self, patron_id: PatronId) -> Eff[tuple[Loan, ...]]:
        """Read all loans of one patron, oldest first."""
        ...

    def open_of(self, book_id: BookId) -> Eff[tuple[Loan, ...]]:
        """Read the loans of one book that are still open, oldest first."""
        ...

    def overdue(self, page: Page) -> Eff[Listing[Loan]]:
        """Read the open loans that are marked as overdue."""
        ...


class Loans(LoanReads, Protocol):
    """The loans, open and closed.

    2. A copy of a book is in one open loan at most.
    """

    def get(self, loan_id: LoanId) -> Eff[Loan, LoanUnknown]:
        """Read one loan."""
        ...

    def save(self, loan: Loan) -> Eff[None]:
        """Write a loan, new or changed."""
        ...


class HoldReads(Protocol):
    """The holds, to be read."""

    def of_book(self, book_id: BookId) -> Eff[tuple[Hold, ...]]:
        """Read the holds of one book in place order."""
        ...


class Holds(HoldReads, Protocol):
    """The holds that wait for a copy.

    1. No two holds of one book have the same place, and no patron has two.
    """

    def line(self, book_id: BookId) -> Eff[tuple[Waiting, ...]]:
        """Read who waits for a book in place order."""
        ...

    def add(self, hold: Hold) -> Eff[None]:
        """Keep a new hold."""
        ...

    def remove(self, hold_id: HoldId) -> Eff[bool]:
        """Take a hold out of the line; yield False if it was not there."""
        ...


class ShelfReads(Protocol):
    """How many copies of each book may be lent, to be read."""

    def get(self, book_id: BookId) -> Eff[Shelf, BookUnknown]:
        """Read the shelf of one book."""
        ...


class Shelves(ShelfReads, Protocol):
    """How many copies of each book may be lent."""

    def save(self, shelf: Shelf) -> Eff[None]:
        """Write a shelf, new or changed."""
        ...


class Notifications(Protocol):
    """What tells patrons about things.

    1. A notice is sent under the idempotency key of the message that it is sent for: sent again under the same key, it
       is the same notice, and reaches the patron once where the receiving side keeps to that.
    """

    def send(self, notice: Notice) -> Eff[None, Undeliverable]:
        """Hand a notice over to whoever carries it."""
        ...


Post: TypeAlias = Callable[[str], Notifications]
"""What carries notices: given an idempotency key, the `Notifications` of the message that the key stands for."""


@frozen
class LendingRuntime:
    """What a command of lending may use."""

    patrons: Patrons
    loans: Loans
    holds: Holds
    shelves: Shelves
    notifications: Notifications
    clock: Clock
    ids: Ids
    events: Events
    due: Due
    outbox: Outbox[LendingEvents]


@frozen
class LendingReads:
    """What a query of lending may use: no way to write, to emit or to publish."""

    patrons: PatronReads
    loans: LoanReads
    holds: HoldReads
    shelves: ShelfReads
