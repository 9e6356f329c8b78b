"""The commands and queries of lending, and what answers them. Knows no database, no wire, no other context."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen
from attrs.validators import ge, matches_re, max_len, min_len

from effect_runtime import (
    A,
    Context,
    Do,
    E,
    Principal,
    announce,
    do,
    emit,
    from_result,
    guard,
    publish,
    recover,
    succeed,
)
from effect_runtime.dispatch import EventQueue, send_later, stored
from library_example.contracts import (
    BookBorrowed,
    BookId,
    BookReturned,
    HoldId,
    HoldPlaced,
    LendingEvents,
    LoanId,
    PatronId,
)
from library_example.lending.domain import (
    USUAL_DAYS,
    AlreadyReturned,
    BookBorrowedOccurred,
    BookReturnedOccurred,
    BookUnknown,
    BorrowRefused,
    EmailTaken,
    Hold,
    HoldFulfilledOccurred,
    HoldOrderBroken,
    HoldRefused,
    HoldUnknown,
    Loan,
    LoanOverdueOccurred,
    LoanUnknown,
    Patron,
    PatronUnknown,
    Shelf,
    Undeliverable,
    begin,
    check_due,
    give_back,
    good_news,
    hold_of,
    lend,
    reminder,
    serve,
    stand_in_line,
)
from library_example.lending.ports import LendingReads, LendingRuntime
from library_example.paging import FIRST_PAGE, Listing, Page

lending = Context(
    "lending",
    LendingRuntime,
    reads=LendingReads,
    publishes=[LendingEvents],
    modules=["library_example.lending"],
)
Lending: TypeAlias = Do[A, E, LendingRuntime]
Reading: TypeAlias = Do[A, E, LendingReads]
notifications = EventQueue("notifications", concurrency=4)


def by_staff(principal: Principal, _command: object) -> bool:
    """Let only those who work here judge patrons."""
    return "staff" in principal.roles


def one_case(email: str) -> str:
    """Spell an e-mail address in one way, so that nobody registers twice by typing capitals."""
    return email.casefold()


@frozen
class RegisterPatron:
    """Let somebody borrow books from now on."""

    name: str = field(validator=[min_len(1), max_len(200)])
    email: str = field(converter=one_case, validator=matches_re(r"[^@\s]{1,64}@[^@\s]{1,189}"))


@frozen
class BlockPatron:
    """Let a patron borrow no more, or again."""

    patron_id: PatronId
    blocked: bool = True


@frozen
class BorrowBook:
    """Take a copy of a book home for some days."""

    patron_id: PatronId
    book_id: BookId
    days: int = USUAL_DAYS


@frozen
class ReturnBook:
    """Bring a copy back."""

    loan_id: LoanId


@frozen
class PlaceHold:
    """Wait for the next copy of a book."""

    patron_id: PatronId
    book_id: BookId


@frozen
class CancelHold:
    """Wait no longer."""

    hold_id: HoldId


@frozen
@stored("lending.mark-overdue")
class MarkOverdue:
    """Look whether a loan is back now that it is due."""

    loan_id: LoanId


@frozen
class StockShelf:
    """Keep in mind how many copies of a book there are to lend."""

    book_id: BookId
    copies: int = field(validator=ge(0))


@frozen
class GetPatronLoans:
    """Ask for a patron and all loans of this patron, open and closed."""

    patron_id: PatronId


@frozen
class PatronLoans:
    """What `GetPatronLoans` is answered with; the oldest loan comes first."""

    patron: Patron
    loans: tuple[Loan, ...]


@frozen
class GetOverdueLoans:
    """Ask for loans that were not back when due, and still are not: those due first come first."""

    page: Page = FIRST_PAGE


@frozen
class GetHolds:
    """Ask who waits for a book, in place order."""

    book_id: BookId


@frozen
class GetShelf:
    """Ask how many copies of a book there are to lend."""

    book_id: BookId


@frozen
class ShelfState:
    """What `GetShelf` is answered with: the copies to lend, and the loans that are open now."""

    shelf: Shelf
    out: tuple[Loan, ...]


@lending.command(access="public")
def register_patron(command: RegisterPatron) -> Lending[PatronId, EmailTaken]:
    """Register a patron and answer with the id."""
    rt = yield from lending.runtime
    number = yield from rt.ids.uuid()
    patron = Patron(id=PatronId(str(number)), name=command.name, email=command.email)
    yield from rt.patrons.add(patron)
    return patron.id


@lending.command(access=by_staff)
def block_patron(command: BlockPatron) -> Lending[None, PatronUnknown]:
    """Block a patron, or lift the block: a hold passed over meanwhile comes first as soon as its patron asks."""
    rt = yield from lending.runtime
    yield from rt.patrons.block(command.patron_id, command.blocked)


@lending.command(access="public")
def borrow_book(command: BorrowBook) -> Lending[LoanId, PatronUnknown | BookUnknown | BorrowRefused]:
    """Lend a copy, unless a rule forbids it, and tell the world."""
    rt = yield from lending.runtime
    patron = yield from rt.patrons.get(command.patron_id)
    shelf = yield from rt.shelves.get(command.book_id)
    out = yield from rt.loans.open_of(command.book_id)
    line = yield from rt.holds.line(command.book_id)
    now = yield from rt.clock.now()
    loan_id = LoanId(str((yield from rt.ids.uuid())))
    loan = yield from from_result(lend(patron, shelf, out, line, loan_id=loan_id, now=now, days=command.days))
    yield from hand_over(loan, patron, hold_of(patron, line))
    return loan.id


@lending.command(access="public")
def return_book(command: ReturnBook) -> Lending[None, LoanUnknown | AlreadyReturned | HoldOrderBroken]:
    """Close a loan, once, and tell the world; the line for the book is served before anybody else can ask."""
    rt = yield from lending.runtime
    loan = yield from rt.loans.get(command.loan_id)
    now = yield from rt.clock.now()
    closed = yield from from_result(give_back(loan, now))
    yield from rt.loans.save(closed)
    yield from emit(BookReturnedOccurred(closed))
    yield from publish(BookReturned(closed.book_id, closed.patron_id, closed.id, now))


@lending.command(access="public")
def place_hold(command: PlaceHold) -> Lending[HoldId, PatronUnknown | BookUnknown | HoldRefused | HoldOrderBroken]:
    """Let a patron wait at the end of the line; a copy that stands on the shelf is taken at once."""
    rt = yield from lending.runtime
    patron = yield from rt.patrons.get(command.patron_id)
    shelf = yield from rt.shelves.get(command.book_id)
    out = yield from rt.loans.open_of(command.book_id)
    line = yield from rt.holds.line(command.book_id)
    now = yield from rt.clock.now()
    hold_id = HoldId(str((yield from rt.ids.uuid())))
    hold = yield from from_result(stand_in_line(patron, command.book_id, out, line, hold_id=hold_id))
    yield from rt.holds.add(hold)
    yield from publish(HoldPlaced(hold.book_id, hold.patron_id, hold.id, now))
    yield from offer(shelf)
    return hold.id


@lending.command(access="public")
def cancel_hold(command: CancelHold) -> Lending[None, HoldUnknown]:
    """Take a hold out of the line; the others keep their order."""
    rt = yield from lending.runtime
    waited = yield from rt.holds.remove(command.hold_id)
    yield from guard(waited, HoldUnknown(command.hold_id))


@lending.command(access="internal")
def mark_overdue(command: MarkOverdue) -> Lending[None, LoanUnknown | PatronUnknown]:
    """Mark a loan that is not back in time. One that is back stays as it is: a return cancels nothing."""
    rt = yield from lending.runtime
    loan = yield from rt.loans.get(command.loan_id)
    now = yield from rt.clock.now()
    seen = check_due(loan, now)
    # A return does not cancel the due command: taking a look is cheaper than two things to keep in step.
    if seen == loan:
        return
    yield from rt.loans.save(seen)
    patron = yield from rt.patrons.get(seen.patron_id)
    yield from emit(LoanOverdueOccurred(seen.id, patron.id, patron.email, seen.book_id, seen.due_at))


@lending.command(access="internal")
def stock_shelf(command: StockShelf) -> Lending[None, HoldOrderBroken]:
    """Believe the catalog about its copies, and serve the line with those that are new."""
    rt = yield from lending.runtime
    shelf = Shelf(book_id=command.book_id, copies=command.copies)
    yield from rt.shelves.save(shelf)
    yield from offer(shelf)


@lending.query(access="public")
def get_patron_loans(query: GetPatronLoans) -> Reading[PatronLoans, PatronUnknown]:
    """Answer with a patron and the loans."""
    rt = yield from lending.reads
    patron = yield from rt.patrons.get(query.patron_id)
    loans = yield from rt.loans.of_patron(patron.id)
    return PatronLoans(patron, loans)


@lending.query(access=by_staff)
def get_overdue_loans(query: GetOverdueLoans) -> Reading[Listing[Loan]]:
    """Answer with one page of the overdue loans."""
    rt = yield from lending.reads
    return (yield from rt.loans.overdue(query.page))


@lending.query(access="public")
def get_holds(query: GetHolds) -> Reading[tuple[Hold, ...]]:
    """Answer with the line for a book."""
    rt = yield from lending.reads
    return (yield from rt.holds.of_book(query.book_id))


@lending.query(access="public")
def get_shelf(query: GetShelf) -> Reading[ShelfState, BookUnknown]:
    """Answer with a shelf and what is missing from it."""
    rt = yield from lending.reads
    shelf = yield from rt.shelves.get(query.book_id)
    out = yield from rt.loans.open_of(query.book_id)
    return ShelfState(shelf, out)


@lending.on(BookBorrowedOccurred)
def count_borrowed(event: BookBorrowedOccurred) -> Lending[None]:
    """Count the loan in the same transaction, so that the next command sees the limit."""
    rt = yield from lending.runtime
    yield from rt.patrons.count_loans(event.loan.patron_id, +1)


@lending.on(BookReturnedOccurred)
def count_returned(event: BookReturnedOccurred) -> Lending[None]:
    """Count the return in the same transaction."""
    rt = yield from lending.runtime
    yield from rt.patrons.count_loans(event.loan.patron_id, -1)


@lending.on(BookReturnedOccurred)
def offer_returned(event: BookReturnedOccurred) -> Lending[None, HoldOrderBroken]:
    """Offer the copy to the line. It comes after the count, so that who has just returned a book may have another."""
    rt = yield from lending.runtime
    # There is a shelf, for the copy was taken from it; but that one might be missing is no failure of this event's.
    empty = Shelf(book_id=event.loan.book_id, copies=0)
    yield from offer((yield from recover(rt.shelves.get(empty.book_id), lambda _: succeed(empty))))


@lending.on(HoldFulfilledOccurred)
def leave_the_line(event: HoldFulfilledOccurred) -> Lending[None]:
    """Take the hold out of the line: it has its copy."""
    rt = yield from lending.runtime
    yield from rt.holds.remove(event.hold_id)


@lending.after_commit(HoldFulfilledOccurred, queue=notifications, key="patron_id", dead_letter=(Undeliverable,))
def tell_good_news(event: HoldFulfilledOccurred) -> Lending[None, Undeliverable]:
    """Tell the patron, once the loan is certain; the mail server is called with no transaction open."""
    rt = yield from lending.runtime
    yield from rt.notifications.send(good_news(event))


@lending.after_commit(LoanOverdueOccurred, queue=notifications, key="patron_id", dead_letter=(Undeliverable,))
def remind(event: LoanOverdueOccurred) -> Lending[None, Undeliverable]:
    """Remind the patron."""
    rt = yield from lending.runtime
    yield from rt.notifications.send(reminder(event))


@do
def offer(shelf: Shelf) -> Lending[None, HoldOrderBroken]:
    """Lend the copies that stand on a shelf to those who wait for them, and to nobody else before."""
    rt = yield from lending.runtime
    line = yield from rt.holds.line(shelf.book_id)
    if not line:
        return
    out = yield from rt.loans.open_of(shelf.book_id)
    now = yield from rt.clock.now()
    for served in (yield from from_result(serve(shelf, out, line))):
        loan_id = LoanId(str((yield from rt.ids.uuid())))
        loan = begin(served.patron, shelf, out, loan_id=loan_id, now=now)
        # Or the next in the line would be given the same copy.
        out = (*out, loan)
        yield from hand_over(loan, served.patron, served.hold)


@do
def hand_over(loan: Loan, patron: Patron, hold: Hold | None) -> Lending[None]:
    """Write a new loan down, look again when it is due, and tell both sides; a hold has thereby got its copy."""
    rt = yield from lending.runtime
    yield from rt.loans.save(loan)
    yield from send_later(MarkOverdue(loan.id), due=loan.due_at)
    yield from announce(
        BookBorrowedOccurred(loan), BookBorrowed(loan.book_id, loan.patron_id, loan.id, loan.borrowed_at)
    )
    if hold is not None:
        yield from emit(HoldFulfilledOccurred(hold.id, patron.id, patron.email, loan.book_id, loan.due_at))
