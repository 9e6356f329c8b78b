"""Domain and integration events: who may say what, and whose failures join."""

from __future__ import annotations

from typing_extensions import assert_type

from effect_runtime import Do, Eff, announce, do, emit, publish, succeed
from tests.typing.world import (
    BookAdded,
    BookBorrowed,
    HoldOrderBroken,
    Lending,
    LendingReads,
    LendingRuntime,
    Lent,
    Patron,
    Returned,
    SilentRuntime,
    lending,
)


# A context says its own events.
@do
def says(book: int) -> Lending[None, HoldOrderBroken]:
    yield from emit(Lent(book))
    yield from publish(BookBorrowed(book))
    yield from emit(Returned(book))
    yield from announce(Lent(book), Returned(book))
    yield from announce(BookBorrowed(book), BookBorrowed(book))
    yield from announce(Lent(book), BookBorrowed(book))


# A foreign event, a runtime without outbox and a query that publishes or emits are refused.
@do
def foreign(book: int) -> Do[None, HoldOrderBroken, LendingRuntime]:
    yield from publish(BookAdded(book))  # rejected


@do
def foreign_announced(book: int) -> Do[None, HoldOrderBroken, LendingRuntime]:
    yield from announce(Lent(book), BookAdded(book))  # rejected


@do
def no_outbox(book: int) -> Do[None, HoldOrderBroken, SilentRuntime]:
    yield from emit(Lent(book))
    yield from publish(BookBorrowed(book))  # rejected


@lending.query(access="public")
def publishing(book: int) -> Do[None, HoldOrderBroken, LendingReads]:
    yield from publish(BookBorrowed(book))  # rejected


@lending.query(access="public")
def emitting(book: int) -> Do[None, HoldOrderBroken, LendingReads]:
    yield from emit(Lent(book))  # rejected


publish(Lent(1))  # rejected
emit(BookBorrowed(1))  # rejected
emit(Patron(1, 1))  # rejected


# An event's declared veto joins the failures of whoever emits it.
@do
def without_veto(book: int) -> Lending[None]:
    yield from emit(Lent(book))


@do
def forgotten_veto(book: int) -> Lending[None]:
    yield from emit(Returned(book))  # rejected


@do
def forgotten_veto_announced(book: int) -> Lending[None]:
    yield from announce(Lent(book), Returned(book))  # rejected


# A handler may fail with what its event declares, and with nothing else.
@lending.on(Returned)
def vetoes(event: Returned) -> Lending[None, HoldOrderBroken]:
    yield from succeed(assert_type(event.book, int))


@lending.on(Returned)
def never_vetoes(event: Returned) -> Lending[None]:
    yield from succeed(None)


@lending.on(Lent)
def as_effect(event: Lent) -> Eff[None]:
    return succeed(None)


@lending.on(Lent)  # rejected
def fails_undeclared(event: Lent) -> Lending[None, HoldOrderBroken]:
    yield from succeed(None)


@lending.on(BookBorrowed)  # rejected
def handles_contract(event: BookBorrowed) -> Lending[None]:
    yield from succeed(None)
