"""Dispatch: a command keeps its answer and its failures, and gains what the pipeline may refuse."""

from __future__ import annotations

from typing_extensions import assert_type

from effect_runtime import Do, Eff, Failed, Forbidden, Invalid, Principal, Succeeded, attempt, do, emit, fail, succeed
from tests.typing.world import (
    Borrow,
    BookUnknown,
    HasPatrons,
    HoldOrderBroken,
    Lending,
    LendingReads,
    LendingRuntime,
    Patron,
    PatronUnknown,
    Returned,
    lending,
)


@lending.command(access="public")
def borrow(cmd: Borrow) -> Lending[int, PatronUnknown | BookUnknown]:
    rt = yield from lending.runtime
    patron = yield from rt.patrons.get(cmd.patron)
    copies = yield from rt.books.shelf(cmd.book)
    return patron.loans + copies


@lending.query(access="public")
def patron_of(id: int) -> Do[Patron, PatronUnknown, LendingReads]:
    rt = yield from lending.reads
    return (yield from rt.patrons.get(id))


@lending.command(access="internal")
def needs_little(cmd: Borrow) -> Do[int, PatronUnknown, HasPatrons]:
    return (yield from fail(PatronUnknown(cmd.patron)))


# Dispatch keeps command -> answer and adds `Refused`; the bare body adds nothing.
cmd = Borrow(1, 1)
assert_type(borrow(cmd), Eff[int, PatronUnknown | BookUnknown | Invalid | Forbidden, LendingRuntime])
assert_type(borrow.program(cmd), Eff[int, PatronUnknown | BookUnknown, LendingRuntime])
assert_type(patron_of(1), Eff[Patron, PatronUnknown | Invalid | Forbidden, LendingReads])
borrow(1)  # rejected
borrow.program(1)  # rejected
forgets_refusals: Eff[int, PatronUnknown | BookUnknown, LendingRuntime] = borrow(cmd)  # rejected


# Failures of nested commands add up.
@lending.command(access="internal")
def borrow_and_return(cmd: Borrow) -> Lending[int, PatronUnknown | BookUnknown | Invalid | Forbidden | HoldOrderBroken]:
    first = yield from borrow(cmd)
    assert_type(first, int)
    yield from emit(Returned(cmd.book))
    return first


@lending.command(access="internal")
def forgets_a_nested_failure(cmd: Borrow) -> Lending[int, PatronUnknown | Invalid | Forbidden]:
    return (yield from borrow(cmd))  # rejected


@lending.command(access="internal")
def handles_all(cmd: Borrow) -> Lending[int]:
    outcome = yield from attempt(borrow(cmd))
    assert_type(outcome, Succeeded[int] | Failed[PatronUnknown | BookUnknown | Invalid | Forbidden])
    match outcome:
        case Succeeded(value):
            return value
        case Failed():
            return 0


# A handler may return an effect; it may not be a coroutine, nor return a plain value.
@lending.command(access="public")
def plain(cmd: Borrow) -> Eff[int]:
    return succeed(1)


@lending.command(access="public")  # rejected
async def coroutine(cmd: Borrow) -> int:
    return 1


@lending.command(access="public")  # rejected
def value(cmd: Borrow) -> int:
    return 1


@lending.query(access="public")  # rejected
def command_in_disguise(cmd: Borrow) -> Lending[int, PatronUnknown]:
    return (yield from fail(PatronUnknown(1)))


# A query's runtime cannot run a command's program.
@lending.query(access="public")
def borrowing_query(cmd: Borrow) -> Do[int, PatronUnknown | BookUnknown, LendingReads]:
    return (yield from borrow.program(cmd))  # rejected


# A policy decides: it may read, and it may not fail.
@do
def may_borrow(principal: Principal, cmd: Borrow) -> Lending[bool]:
    rt = yield from lending.runtime
    return isinstance((yield from attempt(rt.patrons.get(cmd.patron))), Succeeded)


@do
def fails_to_decide(principal: Principal, cmd: Borrow) -> Lending[bool, PatronUnknown]:
    rt = yield from lending.runtime
    return (yield from rt.patrons.get(cmd.patron)).loans < 5


@lending.command(access=may_borrow)
def allowed(cmd: Borrow) -> Lending[None]:
    yield from succeed(None)


@lending.command(access=fails_to_decide)  # rejected
def undecided(cmd: Borrow) -> Lending[None]:
    yield from succeed(None)
