"""Running without an event loop: what never waits ends, what waits is named."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import pytest

from effect_runtime.effect import (
    Do,
    Eff,
    Failed,
    Schedule,
    acquire,
    attempt,
    do,
    ensure,
    fail,
    for_each,
    fork,
    from_async,
    from_blocking,
    from_sync,
    gather,
    retry,
    scoped,
    succeed,
    timeout,
    uninterruptible,
)
from effect_runtime.errors import Suspended
from effect_runtime.interpreter import run_sync
from tests.interpreter.library import BookUnknown, HasShelf, Reading, SyncShelf, copies_of, reading


def test_a_program_that_never_waits_ends() -> None:
    """Everything but waiting and running in parallel works without an event loop."""
    journal: list[str] = []

    @do
    def program() -> Do[int, BookUnknown, HasShelf]:
        yield from acquire(succeed("a"), lambda it: from_sync(journal.append, f"close {it}"))
        yield from ensure(succeed(None), from_sync(journal.append, "finally"))
        yield from timeout(succeed(1), timedelta(hours=1)).lash(lambda _: succeed(0))
        yield from uninterruptible(from_blocking(journal.append, "blocking"))
        yield from attempt(retry(fail("no"), Schedule().times(2)))
        yield from for_each([1, 2], lambda number: from_sync(journal.append, str(number)))
        return (yield from copies_of(1))

    assert run_sync(scoped(program()), Reading(SyncShelf({1: 3}))) == 3
    assert journal == ["finally", "blocking", "1", "2", "close a"]
    assert run_sync(attempt(copies_of(2)), Reading(SyncShelf())) == Failed(BookUnknown(2))


def test_the_line_that_waits_is_named() -> None:
    """A program that comes to wait is stopped with the line of its innermost block."""

    @do
    def inner() -> Do[int, BookUnknown, HasShelf]:
        return (yield from copies_of(1))

    with pytest.raises(Suspended, match=r"library\.py:\d+ in copies_of waits, and run_sync has no event loop"):
        run_sync(inner(), reading(book_1=1))


@pytest.mark.parametrize(
    "several",
    [gather(succeed(1), succeed(2)), scoped(fork(succeed(1))), for_each([1, 2], succeed, limit=2)],
    ids=["gather", "fork", "for_each"],
)
def test_programs_that_run_at_once_are_named(several: Eff[object]) -> None:
    """Running in parallel needs a loop; the line that asks for it is named."""

    @do
    def block() -> Do[object]:
        return (yield from several)

    with pytest.raises(Suspended, match=r"test_run_sync\.py:\d+ in .*block waits"):
        run_sync(block())


def test_what_was_opened_is_closed_when_it_is_stopped() -> None:
    """A program that was stopped because it waits has still run its finalizers."""
    journal: list[str] = []
    program = ensure(copies_of(1), from_sync(journal.append, "closed"))
    with pytest.raises(Suspended):
        run_sync(program, reading())
    assert journal == ["closed"]


class Waiting:
    """Something to await that suspends without asking for an event loop."""

    def __await__(self) -> Generator[None, None, None]:
        """Suspend once."""
        yield


def test_a_program_that_waits_is_named_though_its_finalizers_wait_too() -> None:
    """Each of them begins, none is waited for, and what is told is where the program waited first."""
    journal: list[str] = []
    waits = from_async(Waiting)

    def closing(name: str) -> Eff[None]:
        return from_sync(journal.append, name).then(waits).as_none()

    @do
    def program() -> Do[None]:
        yield from acquire(succeed("a"), closing)
        yield from ensure(waits, closing("b"))

    with pytest.raises(Suspended) as caught:
        run_sync(scoped(program()))
    assert "program" in caught.value.place
    assert journal == ["b", "a"]
