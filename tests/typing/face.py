"""The typed face of the library: the programs that must and must not type-check, against the real library.

Checked with mypy --strict and with pyright's default rules, never run. Every line marked `# rejected` must be an error
in both checkers; no other line may be one.
"""

from __future__ import annotations

from typing import Never, Protocol, TypeAlias

from attrs import frozen
from returns.result import Result
from typing_extensions import assert_type

from effect_runtime import (
    A,
    Context,
    Do,
    DomainEvent,
    E,
    Eff,
    Events,
    Forbidden,
    Invalid,
    Outbox,
    Refused,
    Succeeded,
    Topic,
    announce,
    ask,
    attempt,
    catch,
    do,
    emit,
    fail,
    gather,
    guard,
    integration_event,
    operation,
    provide,
    publish,
    succeed,
)


# A context.
@frozen
class PatronUnknown:
    patron: int


@frozen
class LoanLimitReached:
    patron: int


@frozen
class HoldOrderBroken:
    book: int


@frozen
class Patron:
    id: int
    active_loans: int


@frozen
class BookBorrowedOccurred(DomainEvent):
    book: int


@frozen
class BookReturnedOccurred(DomainEvent[HoldOrderBroken]):
    book: int


class LendingEvents(Topic, name="lending"):
    __slots__ = ()


class CatalogEvents(Topic, name="catalog"):
    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", key="book")
class BookBorrowed(LendingEvents):
    book: int


@frozen
@integration_event("catalog.book-added", key="book")
class BookAdded(CatalogEvents):
    book: int


class Patrons(Protocol):
    def get(self, id: int) -> Eff[Patron, PatronUnknown]: ...
    def save(self, patron: Patron, *, force: bool = False) -> Eff[None]: ...


class SqlitePatrons:
    @operation(kind="transactional")
    async def get(self, id: int) -> Result[Patron, PatronUnknown]:
        raise LookupError

    @operation(kind="transactional")
    async def save(self, patron: Patron, *, force: bool = False) -> None: ...


class HasPatrons(Protocol):
    @property
    def patrons(self) -> Patrons: ...


@frozen
class LendingRuntime:
    patrons: Patrons
    events: Events
    outbox: Outbox[LendingEvents]


@frozen
class LendingReads:
    patrons: Patrons


lending = Context("lending", LendingRuntime, reads=LendingReads, publishes=[LendingEvents])
Lending: TypeAlias = Do[A, E, LendingRuntime]


@frozen
class BorrowBook:
    patron: int
    book: int


@do
def patron_within_limit(id: int) -> Do[Patron, PatronUnknown | LoanLimitReached, HasPatrons]:
    rt = yield from ask[HasPatrons]()
    patron = yield from rt.patrons.get(id)
    assert_type(patron, Patron)
    yield from guard(patron.active_loans < 5, LoanLimitReached(id))
    return patron


@lending.command(access="public")
def borrow_book(cmd: BorrowBook) -> Lending[int, PatronUnknown | LoanLimitReached]:
    rt = yield from lending.runtime
    patron = yield from patron_within_limit(cmd.patron)  # a narrower need fits
    found: int | None = patron.active_loans or None
    if found is None:
        return (yield from fail(LoanLimitReached(1)))  # `return`, so that it narrows
    assert_type(found, int)
    yield from rt.patrons.save(patron, force=True)
    yield from emit(BookBorrowedOccurred(cmd.book))
    yield from publish(BookBorrowed(cmd.book))
    yield from announce(BookBorrowedOccurred(cmd.book), BookBorrowed(cmd.book))
    return found


@lending.command(access="internal")
def borrow_two(cmd: BorrowBook) -> Lending[int, PatronUnknown | LoanLimitReached | Refused | HoldOrderBroken]:
    first = yield from borrow_book(cmd)
    assert_type(first, int)
    yield from emit(BookReturnedOccurred(cmd.book))
    outcome = yield from attempt(borrow_book(cmd))
    if isinstance(outcome, Succeeded):
        return outcome.value
    match outcome.error:
        case PatronUnknown():
            return 0
        case Invalid() | Forbidden():
            return 1
        case rest:
            assert_type(rest, LoanLimitReached)
            return (yield from fail(rest))


@lending.command(access="internal")
def plain(cmd: BorrowBook) -> Eff[int]:
    return succeed(1)


@lending.query(access="public")
def get_patron(id: int) -> Do[Patron, PatronUnknown, LendingReads]:
    rt = yield from lending.reads
    return (yield from rt.patrons.get(id))


@lending.on(BookReturnedOccurred)
def offer_to_first_hold(event: BookReturnedOccurred) -> Lending[None, HoldOrderBroken]:
    yield from fail(HoldOrderBroken(event.book))


def unknown(error: PatronUnknown) -> Eff[int]:
    return succeed(0)


one_left = borrow_book.program(BorrowBook(1, 1)).pipe(catch(PatronUnknown, unknown))
assert_type(one_left, Eff[int, LoanLimitReached, LendingRuntime])
port: Patrons = SqlitePatrons()
assert_type(borrow_book(BorrowBook(1, 1)), Eff[int, PatronUnknown | LoanLimitReached | Invalid | Forbidden, LendingRuntime])
supplied = borrow_book.program(BorrowBook(1, 1)).pipe(provide(LendingRuntime(port, Events(), Outbox())))
assert_type(supplied, Eff[int, PatronUnknown | LoanLimitReached])
pair = gather(port.get(1), succeed("x"))
assert_type(pair, Eff[tuple[Patron, str], PatronUnknown])


# What must be refused.
@do
def undeclared_failure(id: int) -> Do[Patron, Never, HasPatrons]:
    rt = yield from ask[HasPatrons]()
    return (yield from rt.patrons.get(id))  # rejected


@do
def missing_need(id: int) -> Do[None, Never, LendingReads]:
    yield from emit(BookBorrowedOccurred(id))  # rejected


@do
def foreign_event(id: int) -> Do[None, Never, LendingRuntime]:
    yield from publish(BookAdded(id))  # rejected


@do
def undeclared_veto(id: int) -> Do[None, Never, LendingRuntime]:
    yield from emit(BookReturnedOccurred(id))  # rejected


@lending.query(access="public")
def publishing_query(id: int) -> Do[None, Never, LendingReads]:
    yield from publish(BookBorrowed(id))  # rejected


@do
def forgotten_from(id: int) -> Do[int, PatronUnknown, HasPatrons]:
    rt = yield from ask[HasPatrons]()
    patron = yield rt.patrons.get(id)
    return patron.active_loans  # rejected


wrong_argument = port.get("1")  # rejected
wrong_result: Eff[str, PatronUnknown | LoanLimitReached, LendingRuntime] = borrow_book.program(BorrowBook(1, 1))  # rejected
half_provided: Eff[int] = borrow_book.program(BorrowBook(1, 1))  # rejected
wrong_keyword = port.save(Patron(1, 1), froce=True)  # rejected


@lending.on(BookBorrowedOccurred)  # rejected
def fails_undeclared(event: BookBorrowedOccurred) -> Lending[None, HoldOrderBroken]:
    yield from fail(HoldOrderBroken(event.book))


@lending.command(access="public")  # rejected
async def coroutine_handler(cmd: BorrowBook) -> int:
    return 1
