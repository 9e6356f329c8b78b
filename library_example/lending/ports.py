"""What lending needs from the outside, and the two runtimes that hold it. Knows no database."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from effect_runtime import Eff, Events, Outbox
from effect_runtime.runtime import Clock, Ids
from library_example.contracts import BookId, LendingEvents, LoanId, PatronId
from library_example.lending.domain import BookUnknown, EmailTaken, Loan, LoanUnknown, Patron, PatronUnknown, Shelf


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
    """The loans, to be read."""

    def of_patron(self, patron_id: PatronId) -> Eff[tuple[Loan, ...]]:
        """Read all loans of one patron, oldest first."""
        ...

    def open_of(self, book_id: BookId) -> Eff[tuple[Loan, ...]]:
        """Read the loans of one book that are still open, oldest first."""
        ...


class Loans(LoanReads, Protocol):
    """The loans, open and closed.

    1. A copy of a book is in one open loan at most.
    """

    def get(self, loan_id: LoanId) -> Eff[Loan, LoanUnknown]:
        """Read one loan."""
        ...

    def save(self, loan: Loan) -> Eff[None]:
        """Write a loan, new or changed."""
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


@frozen
class LendingRuntime:
    """What a command of lending may use."""

    patrons: Patrons
    loans: Loans
    shelves: Shelves
    clock: Clock
    ids: Ids
    events: Events
    outbox: Outbox[LendingEvents]


@frozen
class LendingReads:
    """What a query of lending may use: no way to write, to emit or to publish."""

    patrons: PatronReads
    loans: LoanReads
    shelves: ShelfReads
