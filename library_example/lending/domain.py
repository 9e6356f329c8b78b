"""What lending knows of patrons, loans and its shelf: values, refusals and pure decisions.

Knows no effect, no store, no clock and nothing of the catalog: a shelf is told how many copies it may lend.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import ge
from returns.result import Failure, Result, Success

from effect_runtime import DomainEvent
from library_example.contracts import BookId, LoanId, PatronId

LOAN_LIMIT = 5
LONGEST_LOAN = timedelta(days=60)


@frozen(kw_only=True)
class Patron:
    """A reader. `active_loans` counts the loans that are open now."""

    id: PatronId
    name: str
    email: str
    active_loans: int = field(default=0, validator=ge(0))
    blocked: bool = False


@frozen(kw_only=True)
class Loan:
    """One copy of a book in one patron's hands, until it is returned."""

    id: LoanId
    patron_id: PatronId
    book_id: BookId
    copy: int
    borrowed_at: datetime
    due_at: datetime
    returned_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the copy is still out."""
        return self.returned_at is None


@frozen(kw_only=True)
class Shelf:
    """How many copies of a book lending may have out at once: the catalog's word, kept here."""

    book_id: BookId
    copies: int = field(validator=ge(0))


@frozen
class PatronUnknown:
    """Nobody is registered under this id."""

    patron_id: PatronId


@frozen
class EmailTaken:
    """Another patron has this e-mail address."""

    email: str


@frozen
class PatronBlocked:
    """This patron may not borrow for now."""

    patron_id: PatronId


@frozen
class LoanLimitReached:
    """This patron has as many open loans as one may have."""

    patron_id: PatronId


@frozen
class BookUnknown:
    """Lending was never told of such a book."""

    book_id: BookId


@frozen
class NoCopyAvailable:
    """All copies are out; `next_due` is when the first of them should be back, if any is out."""

    book_id: BookId
    next_due: datetime | None


@frozen
class AlreadyBorrowed:
    """This patron has a copy of this book already."""

    loan_id: LoanId


@frozen
class InvalidLoanPeriod:
    """A loan lasts at least a day and at most `LONGEST_LOAN`."""

    days: int


@frozen
class LoanUnknown:
    """There is no such loan."""

    loan_id: LoanId


@frozen
class AlreadyReturned:
    """A loan is closed once."""

    loan_id: LoanId


BorrowRefused: TypeAlias = PatronBlocked | LoanLimitReached | NoCopyAvailable | AlreadyBorrowed | InvalidLoanPeriod


@frozen
class BookBorrowedOccurred(DomainEvent):
    """A loan has begun."""

    loan: Loan


@frozen
class BookReturnedOccurred(DomainEvent):
    """A loan has ended."""

    loan: Loan


def lend(
    patron: Patron, shelf: Shelf, out: Sequence[Loan], *, loan_id: LoanId, now: datetime, days: int
) -> Result[Loan, BorrowRefused]:
    """Decide whether `patron` may borrow from `shelf`, given the loans of that book that are `out`."""
    if not 0 < days <= LONGEST_LOAN.days:
        return Failure(InvalidLoanPeriod(days))
    if patron.blocked:
        return Failure(PatronBlocked(patron.id))
    held = next((loan for loan in out if loan.patron_id == patron.id), None)
    if held is not None:
        return Failure(AlreadyBorrowed(held.id))
    if patron.active_loans >= LOAN_LIMIT:
        return Failure(LoanLimitReached(patron.id))
    if len(out) >= shelf.copies:
        return Failure(NoCopyAvailable(shelf.book_id, min((loan.due_at for loan in out), default=None)))
    return Success(
        Loan(
            id=loan_id,
            patron_id=patron.id,
            book_id=shelf.book_id,
            copy=free_copy(out),
            borrowed_at=now,
            due_at=now + timedelta(days=days),
        )
    )


def free_copy(out: Sequence[Loan]) -> int:
    """Return the lowest number of a copy that is not out."""
    taken = {loan.copy for loan in out}
    return next(number for number in range(1, len(out) + 2) if number not in taken)


def give_back(loan: Loan, now: datetime) -> Result[Loan, AlreadyReturned]:
    """Decide to close `loan`; a second time is refused."""
    if not loan.is_open:
        return Failure(AlreadyReturned(loan.id))
    return Success(evolve(loan, returned_at=now))
