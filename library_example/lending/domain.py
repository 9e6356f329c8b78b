"""What lending knows of patrons, loans, holds and its shelf: values, refusals and pure decisions.

Knows no effect, no store, no clock and nothing of the catalog: a shelf is told how many copies it may lend.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import ge
from returns.result import Failure, Result, Success

from effect_runtime import DomainEvent
from effect_runtime.dispatch import stored
from effect_runtime.integration import Redacted
from library_example.contracts import BookId, HoldId, LoanId, PatronId

LOAN_LIMIT = 5
USUAL_DAYS = 14
LONGEST_LOAN = timedelta(days=60)


@frozen(kw_only=True)
class Patron:
    """A reader. `active_loans` counts the loans that are open now."""

    id: PatronId
    name: str
    email: str
    active_loans: int = field(default=0, validator=ge(0))
    blocked: bool = False

    @property
    def may_borrow(self) -> bool:
        """Tell whether nothing about this patron forbids one more loan."""
        return not self.blocked and self.active_loans < LOAN_LIMIT


@frozen(kw_only=True)
class Loan:
    """One copy of a book in one patron's hands, until it is returned. `overdue` once it was not back when due."""

    id: LoanId
    patron_id: PatronId
    book_id: BookId
    copy: int
    borrowed_at: datetime
    due_at: datetime
    returned_at: datetime | None = None
    overdue: bool = False

    @property
    def is_open(self) -> bool:
        """Tell whether the copy is still out."""
        return self.returned_at is None


@frozen(kw_only=True)
class Shelf:
    """How many copies of a book lending may have out at once: the catalog's word, kept here."""

    book_id: BookId
    copies: int = field(validator=ge(0))


@frozen(kw_only=True)
class Hold:
    """A patron's wish for the next copy of a book. In the line of that book a lower `place` comes first."""

    id: HoldId
    patron_id: PatronId
    book_id: BookId
    place: int = field(validator=ge(1))


@frozen
class Waiting:
    """A hold in the line, with the patron who waits."""

    hold: Hold
    patron: Patron


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
    """This patron may neither borrow nor place holds for now."""

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


@frozen
class HoldExists:
    """This patron waits for this book already."""

    hold_id: HoldId


@frozen
class HoldUnknown:
    """There is no such hold, or no more: it was cancelled, or it has taken its copy."""

    hold_id: HoldId


@frozen
class HoldOrderBroken:
    """A copy of this book would go to somebody before those who have waited longer."""

    book_id: BookId


BorrowRefused: TypeAlias = (
    PatronBlocked | LoanLimitReached | NoCopyAvailable | AlreadyBorrowed | InvalidLoanPeriod | HoldOrderBroken
)
HoldRefused: TypeAlias = PatronBlocked | AlreadyBorrowed | HoldExists


@frozen
class BookBorrowedOccurred(DomainEvent):
    """A loan has begun."""

    loan: Loan


@frozen
class BookReturnedOccurred(DomainEvent[HoldOrderBroken]):
    """A loan has ended. Those who offer the copy to the line veto when the line is not in order."""

    loan: Loan


@frozen
@stored("lending.hold-fulfilled")
class HoldFulfilledOccurred(DomainEvent):
    """A hold has taken its copy: a loan has begun. Whoever hears it after the commit knows whom to tell."""

    hold_id: HoldId
    patron_id: PatronId
    email: Redacted[str]
    book_id: BookId
    due_at: datetime


@frozen
@stored("lending.loan-overdue")
class LoanOverdueOccurred(DomainEvent):
    """A loan was not back when due. Whoever hears it after the commit knows whom to remind."""

    loan_id: LoanId
    patron_id: PatronId
    email: Redacted[str]
    book_id: BookId
    due_at: datetime


@frozen
class Notice:
    """What one patron is told."""

    to: Redacted[str]
    subject: str
    text: str


@frozen
class Undeliverable:
    """Nobody takes mail for this address: trying again will not help."""

    to: Redacted[str]
    reason: str


def lend(
    patron: Patron,
    shelf: Shelf,
    out: Sequence[Loan],
    line: Sequence[Waiting],
    *,
    loan_id: LoanId,
    now: datetime,
    days: int = USUAL_DAYS,
) -> Result[Loan, BorrowRefused]:
    """Decide whether `patron` may borrow from `shelf`, given the loans that are `out` and the `line` for that book."""
    if not 0 < days <= LONGEST_LOAN.days:
        return Failure(InvalidLoanPeriod(days))
    if patron.blocked:
        return Failure(PatronBlocked(patron.id))
    held = loan_of(patron, out)
    if held is not None:
        return Failure(AlreadyBorrowed(held.id))
    if patron.active_loans >= LOAN_LIMIT:
        return Failure(LoanLimitReached(patron.id))
    if len(out) >= shelf.copies:
        return Failure(NoCopyAvailable(shelf.book_id, min((loan.due_at for loan in out), default=None)))
    # Copies that stand here for those who come first are not free, though they are not out.
    ahead = [one for one in before(patron, line) if one.patron.may_borrow]
    if len(out) + len(ahead) >= shelf.copies:
        return Failure(HoldOrderBroken(shelf.book_id))
    return Success(begin(patron, shelf, out, loan_id=loan_id, now=now, days=days))


def begin(
    patron: Patron, shelf: Shelf, out: Sequence[Loan], *, loan_id: LoanId, now: datetime, days: int = USUAL_DAYS
) -> Loan:
    """Return the loan with which `patron` takes a copy that is not `out`."""
    return Loan(
        id=loan_id,
        patron_id=patron.id,
        book_id=shelf.book_id,
        copy=free_copy(out),
        borrowed_at=now,
        due_at=now + timedelta(days=days),
    )


def serve(shelf: Shelf, out: Sequence[Loan], line: Sequence[Waiting]) -> Result[Sequence[Waiting], HoldOrderBroken]:
    """Decide who in the line gets the copies that stand on the shelf: as many as there are, in place order.

    Who may not borrow now is passed over, and keeps the place. A line that is not in order is served to nobody.
    """
    if any(one.hold.place >= other.hold.place for one, other in pairwise(line)):
        return Failure(HoldOrderBroken(shelf.book_id))
    free = max(0, shelf.copies - len(out))
    return Success([one for one in line if one.patron.may_borrow][:free])


def stand_in_line(
    patron: Patron, book_id: BookId, out: Sequence[Loan], line: Sequence[Waiting], *, hold_id: HoldId
) -> Result[Hold, HoldRefused]:
    """Decide whether `patron` may wait for a book, at the end of its `line`."""
    if patron.blocked:
        return Failure(PatronBlocked(patron.id))
    held = loan_of(patron, out)
    if held is not None:
        return Failure(AlreadyBorrowed(held.id))
    waiting = hold_of(patron, line)
    if waiting is not None:
        return Failure(HoldExists(waiting.id))
    # Behind the last and not by counting: holds that were cancelled leave their places empty.
    place = line[-1].hold.place + 1 if line else 1
    return Success(Hold(id=hold_id, patron_id=patron.id, book_id=book_id, place=place))


def loan_of(patron: Patron, out: Sequence[Loan]) -> Loan | None:
    """Return the loan among those `out` that is this patron's."""
    return next((loan for loan in out if loan.patron_id == patron.id), None)


def hold_of(patron: Patron, line: Sequence[Waiting]) -> Hold | None:
    """Return the hold in a line that is this patron's."""
    return next((one.hold for one in line if one.patron.id == patron.id), None)


def before(patron: Patron, line: Sequence[Waiting]) -> Sequence[Waiting]:
    """Return those in a line who come before this patron: all, if the patron does not stand in it."""
    return list(takewhile(lambda one: one.patron.id != patron.id, line))


def free_copy(out: Sequence[Loan]) -> int:
    """Return the lowest number of a copy that is not out."""
    taken = {loan.copy for loan in out}
    # Among one number more than copies are out, one is not taken.
    return next(number for number in range(1, len(out) + 2) if number not in taken)


def give_back(loan: Loan, now: datetime) -> Result[Loan, AlreadyReturned]:
    """Decide to close `loan`; a second time is refused."""
    if not loan.is_open:
        return Failure(AlreadyReturned(loan.id))
    return Success(evolve(loan, returned_at=now))


def check_due(loan: Loan, now: datetime) -> Loan:
    """Return the loan, marked as overdue if it still is out when it should be back."""
    return evolve(loan, overdue=True) if loan.is_open and loan.due_at <= now else loan


def good_news(event: HoldFulfilledOccurred) -> Notice:
    """Write the notice that a copy is here."""
    text = f"Your copy of {event.book_id} is at the desk, and yours until {event.due_at:%Y-%m-%d}."
    return Notice(event.email, "The book you waited for", text)


def reminder(event: LoanOverdueOccurred) -> Notice:
    """Write the notice that a copy is missed."""
    text = f"Your copy of {event.book_id} was due on {event.due_at:%Y-%m-%d}. Please bring it back."
    return Notice(event.email, "A book is overdue", text)
