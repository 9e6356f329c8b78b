"""What a context leaves for later: after-commit handlers, enqueued events, due commands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Never

from typing_extensions import assert_type

from effect_runtime import Do, Eff, do, succeed
from effect_runtime.dispatch import (
    Acknowledgement,
    DueId,
    EventQueue,
    GivenUp,
    Handled,
    HasDue,
    Lost,
    StillQueued,
    cancel_due,
    enqueue,
    enqueue_and_wait,
    reschedule_due,
    send_later,
)
from effect_runtime.events import HasEvents
from tests.typing.world import (
    BookBorrowed,
    Borrow,
    HoldOrderBroken,
    Lending,
    LendingReads,
    Lent,
    Patron,
    PatronUnknown,
    Returned,
    SilentRuntime,
    lending,
)

mail = EventQueue("mail", capacity=100, concurrency=2, durable=False)
EventQueue("mail", 100)  # rejected
EventQueue("mail", durability=True)  # rejected


# A command or a handler enqueues domain events; what they declare for the transaction does not join.
@do
def tells(book: int) -> Lending[None]:
    yield from enqueue(Lent(book))
    yield from enqueue(Returned(book))


@do
def tells_silently(book: int) -> Do[None, PatronUnknown, SilentRuntime]:
    yield from enqueue(Lent(book))


assert_type(enqueue(Returned(1)), Eff[None, Never, HasEvents])
assert_type(enqueue_and_wait(Lent(1), timeout=timedelta(seconds=1)), Eff[Acknowledgement, Never, HasEvents])
enqueue(BookBorrowed(1))  # rejected
enqueue(Patron(1, 1))  # rejected
enqueue_and_wait(BookBorrowed(1))  # rejected
enqueue_and_wait(Lent(1), timeout=1.0)  # rejected


@lending.query(access="public")
def enqueuing_query(book: int) -> Do[None, PatronUnknown, LendingReads]:
    yield from enqueue(Lent(book))  # rejected


def told(answer: Acknowledgement) -> tuple[str, ...]:
    match answer:
        case Handled():
            return ()
        case GivenUp(letters):
            return letters
        case Lost():
            return ("lost",)
        case StillQueued():
            return ("queued",)


# An after-commit handler takes its own event with the runtime of its context, and may fail with anything.
@lending.after_commit(Lent, queue=mail, key="book", ignore=(PatronUnknown,))
def notifies(event: Lent) -> Lending[None, PatronUnknown | HoldOrderBroken]:
    yield from succeed(assert_type(event.book, int))


@lending.after_commit(Returned, queue=mail)
def as_effect(event: Returned) -> Eff[None]:
    return succeed(None)


class OtherRuntime:
    """A runtime of another context."""

    printer: int


@lending.after_commit(Lent, queue=mail)  # rejected
def of_another_runtime(event: Lent) -> Do[None, PatronUnknown, OtherRuntime]:
    yield from succeed(None)


@lending.after_commit(Lent, queue=mail)  # rejected
def of_another_event(event: Returned) -> Lending[None]:
    yield from succeed(None)


@lending.after_commit(Lent, queue=mail)  # rejected
async def coroutine(event: Lent) -> None: ...


@lending.after_commit(BookBorrowed, queue=mail)  # rejected
def of_a_contract(event: BookBorrowed) -> Lending[None]:
    yield from succeed(None)


lending.after_commit(Lent)  # rejected


# Commands are sent later by whoever has `due`.
@do
def sends(book: int, at: datetime) -> Lending[bool]:
    id = yield from send_later(Borrow(1, book), due=at)
    assert_type(id, DueId)
    moved = yield from reschedule_due(id, due=timedelta(days=1))
    assert_type(moved, bool)
    return (yield from cancel_due(id))


assert_type(send_later(Borrow(1, 1), due=timedelta(1)), Eff[DueId, Never, HasDue])
send_later(1, due=timedelta(1))  # rejected
send_later("borrow", due=timedelta(1))  # rejected
send_later(lambda: None, due=timedelta(1))  # rejected
send_later(Borrow(1, 1), due=1)  # rejected
send_later(Borrow(1, 1))  # rejected
cancel_due("id")  # rejected
reschedule_due(1, due=timedelta(1))  # rejected


@do
def without_due(book: int) -> Do[DueId, PatronUnknown, SilentRuntime]:
    return (yield from send_later(Borrow(1, book), due=timedelta(1)))  # rejected


@lending.query(access="public")
def sending_query(book: int) -> Do[DueId, PatronUnknown, LendingReads]:
    return (yield from send_later(Borrow(1, book), due=timedelta(1)))  # rejected
