"""The commands and queries of lending, and what answers them. Knows no database, no wire, no other context."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen
from attrs.validators import ge, matches_re, max_len, min_len

from effect_runtime import A, Context, Do, E, Principal, emit, from_result, publish
from library_example.contracts import BookBorrowed, BookId, BookReturned, LendingEvents, LoanId, PatronId
from library_example.lending.domain import (
    AlreadyReturned,
    BookBorrowedOccurred,
    BookReturnedOccurred,
    BookUnknown,
    BorrowRefused,
    EmailTaken,
    Loan,
    LoanUnknown,
    Patron,
    PatronUnknown,
    Shelf,
    give_back,
    lend,
)
from library_example.lending.ports import LendingReads, LendingRuntime

lending = Context(
    "lending",
    LendingRuntime,
    reads=LendingReads,
    publishes=[LendingEvents],
    modules=["library_example.lending"],
)
Lending: TypeAlias = Do[A, E, LendingRuntime]
Reading: TypeAlias = Do[A, E, LendingReads]


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
    days: int = 14


@frozen
class ReturnBook:
    """Bring a copy back."""

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
    """Block a patron, or lift the block."""
    rt = yield from lending.runtime
    yield from rt.patrons.block(command.patron_id, command.blocked)


@lending.command(access="public")
def borrow_book(command: BorrowBook) -> Lending[LoanId, PatronUnknown | BookUnknown | BorrowRefused]:
    """Lend a copy, unless a rule forbids it, and tell the world."""
    rt = yield from lending.runtime
    patron = yield from rt.patrons.get(command.patron_id)
    shelf = yield from rt.shelves.get(command.book_id)
    out = yield from rt.loans.open_of(command.book_id)
    now = yield from rt.clock.now()
    number = yield from rt.ids.uuid()
    loan = yield from from_result(lend(patron, shelf, out, loan_id=LoanId(str(number)), now=now, days=command.days))
    yield from rt.loans.save(loan)
    yield from emit(BookBorrowedOccurred(loan))
    yield from publish(BookBorrowed(loan.book_id, loan.patron_id, loan.id, now))
    return loan.id


@lending.command(access="public")
def return_book(command: ReturnBook) -> Lending[None, LoanUnknown | AlreadyReturned]:
    """Close a loan, once, and tell the world."""
    rt = yield from lending.runtime
    loan = yield from rt.loans.get(command.loan_id)
    now = yield from rt.clock.now()
    closed = yield from from_result(give_back(loan, now))
    yield from rt.loans.save(closed)
    yield from emit(BookReturnedOccurred(closed))
    yield from publish(BookReturned(closed.book_id, closed.patron_id, closed.id, now))


@lending.command(access="internal")
def stock_shelf(command: StockShelf) -> Lending[None]:
    """Believe the catalog about its copies."""
    rt = yield from lending.runtime
    yield from rt.shelves.save(Shelf(book_id=command.book_id, copies=command.copies))


@lending.query(access="public")
def get_patron_loans(query: GetPatronLoans) -> Reading[PatronLoans, PatronUnknown]:
    """Answer with a patron and the loans."""
    rt = yield from lending.reads
    patron = yield from rt.patrons.get(query.patron_id)
    loans = yield from rt.loans.of_patron(patron.id)
    return PatronLoans(patron, loans)


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
