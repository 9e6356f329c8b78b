"""One handler under three interpreters; virtual time for plain functions; deadlocks that say where."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import pytest
from attrs import frozen
from returns.result import Failure, Result

from effect_runtime import Context, Do, Eff, Failed, Outbox, Schedule, Succeeded, do, gather, operation
from effect_runtime.effect import Died, TimedOut, fork, join, race, retry, scoped, timeout, uninterruptible
from effect_runtime.errors import Deadlocked
from effect_runtime.interpreter import dry_run, live, stub, system_host
from effect_runtime.runtime import Clock, SystemClock, SystemIds
from effect_runtime.testing import Simulated, simulated
from tests.testing.bank import (
    AccountId,
    BalanceChanged,
    BankRuntime,
    MemoryRows,
    Move,
    OpenAccount,
    TooLittle,
    bank_with,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
host = system_host()


def runtime_with(**rows: int) -> BankRuntime:
    """Return the bank's runtime over a dictionary."""
    return BankRuntime(MemoryRows(dict(rows)), SystemIds(host.entropy), Outbox[Any]())


def test_one_handler_under_live_dry_run_and_simulated() -> None:
    """The same program, three interpreters: done for real, only told, and done on virtual time."""
    _, move = bank_with(None).bank.commands
    program = move.program(Move(AccountId("a"), AccountId("b"), 2))

    real = runtime_with(a=3, b=0)
    assert live.run_sync(program, real) is None
    assert real.accounts.rows == {"a": 1, "b": 2}

    told = runtime_with(a=3, b=0)
    answers = stub({MemoryRows.get: lambda id: 5, MemoryRows.put: lambda id, number: None})
    assert dry_run.with_interceptors(answers).run_sync(program, told) is None
    assert told.accounts.rows == {"a": 3, "b": 0}

    run = simulated(runtime_with(a=3, b=0))
    assert run.exit(program) == Succeeded(None)
    assert run.runtime.accounts.rows == {"a": 1, "b": 2}
    assert [each.args for each in run.operations("MemoryRows.put")] == [("a", 1), ("b", 2)]
    assert run.published == [BalanceChanged(AccountId("a"), 1), BalanceChanged(AccountId("b"), 2)]
    assert run.emitted == []


def test_failures_and_stubs() -> None:
    """A failure is an exit; a stub answers in place of the adapter."""
    _, move = bank_with(None).bank.commands
    program = move.program(Move(AccountId("a"), AccountId("b"), 2))
    assert simulated(runtime_with(a=1, b=0)).exit(program) == Failed(TooLittle(1))
    assert simulated(runtime_with(), stubs={MemoryRows.get: lambda id: 0}).exit(program) == Failed(TooLittle(0))


def test_ids_count_up() -> None:
    """The system's ids are those of the simulation: two runs draw the same."""
    open_account, _ = bank_with(None).bank.commands
    first, second = (simulated(runtime_with()).run(open_account.program(OpenAccount(1))) for _ in range(2))
    assert first == second == str(UUID("00000000-0000-7000-8000-000000010000"))


@frozen
class Waiting:
    """A runtime with a clock, and an adapter that waits."""

    clock: Clock
    slow: Slow


class Slow:
    """An adapter that takes an hour, or for ever."""

    @operation(kind="external", idempotent=True)
    async def answer(self) -> int:
        """Answer after an hour."""
        await anyio.sleep(3600)
        return 7

    @operation(kind="external", idempotent=True)
    async def never(self) -> None:
        """Wait for what nobody will do."""
        await anyio.Event().wait()

    @operation(kind="local")
    async def lock_twice(self) -> None:
        """Wait for a lock that nobody gives back."""
        lock = anyio.Semaphore(0)
        await lock.acquire()

    @operation(kind="external")
    async def refuse(self) -> Result[int, str]:
        """Fail."""
        return Failure("busy")


def waiting(**options: Any) -> Simulated[Waiting]:
    """Return a simulation of a runtime with the machine's own clock."""
    return simulated(Waiting(SystemClock(host.time), Slow()), **options)


desk = Context("desk", Waiting)


@do
def wait_a_day() -> Do[datetime, Any, Waiting]:
    """Sleep, and tell the time."""
    rt = yield from desk.runtime
    yield from rt.clock.sleep(timedelta(days=1))
    return (yield from rt.clock.now())


def test_time_passes_when_everybody_waits() -> None:
    """A day of sleep and an hour of an adapter take no time, and the clock tells them."""
    run = waiting(start=NOON)
    slow = Slow()
    assert run.run(gather(wait_a_day(), slow.answer())) == (NOON + timedelta(days=1), 7)
    assert (run.passed, run.now) == (timedelta(days=1), NOON + timedelta(days=1))
    assert run.run(wait_a_day()) == NOON + timedelta(days=2)


def test_schedules_and_timeouts_are_on_the_same_clock() -> None:
    """A retry waits between its attempts; a timeout ends what takes too long."""
    run = waiting()
    every_minute = Schedule.fixed(timedelta(minutes=1)).times(3)
    assert run.exit(retry(Slow().refuse(), every_minute)) == Failed("busy")
    assert run.passed == timedelta(minutes=3)
    ended = run.exit(timeout(Slow().answer(), timedelta(minutes=1)))
    assert ended == Failed(TimedOut(timedelta(minutes=1)))
    assert run.passed == timedelta(minutes=4)


@do
def wait_for_ever() -> Do[None, Any, Waiting]:
    """Wait for nobody."""
    rt = yield from desk.runtime
    yield from rt.slow.never()


def test_a_deadlock_is_told_with_every_fiber_and_its_line() -> None:
    """Who waits for ever is named with the line of the program, and of the adapter."""
    with pytest.raises(Deadlocked) as caught:
        waiting().run(gather(wait_for_ever(), wait_a_day()))
    lines = re.sub(r"/\S+/test_simulated\.py:\d+", "here", str(caught.value)).splitlines()
    assert lines == [
        "everybody waits and nothing will happen. Let somebody do what these wait for, or give them a timeout:",
        "  program: waits for the others",
        "  a branch: here in wait_for_ever -> here in Slow.never",
    ]


@do
def ask_somebody() -> Do[None, Any, Waiting]:
    """Leave the waiting to another block."""
    yield from wait_for_ever()


def dump(program: Eff[Any, Any, Waiting]) -> list[str]:
    """Return what is told of a program that waits for ever, without paths."""
    with pytest.raises(Deadlocked) as caught:
        waiting().run(program)
    return re.sub(r"/\S+/test_simulated\.py:\d+", "here", str(caught.value)).splitlines()[1:]


def test_a_deadlock_is_told_through_every_block() -> None:
    """From the program's own line to the innermost, branches that raced, what was forked, and what had a lock."""
    inmost = "here in wait_for_ever -> here in Slow.never"
    assert dump(ask_somebody()) == [f"  program: here in ask_somebody -> {inmost}"]
    assert dump(timeout(uninterruptible(ask_somebody()), timedelta(seconds=1))) == [
        f"  program: here in ask_somebody -> {inmost}"
    ]
    assert dump(race(wait_for_ever(), hold_a_lock())) == [
        "  program: waits for the others",
        f"  a branch: {inmost}",
        "  a branch: here in hold_a_lock -> here in Slow.lock_twice",
    ]
    assert dump(scoped(forked())) == ["  program: here in forked", f"  a branch: {inmost}"]


@do
def hold_a_lock() -> Do[None, Any, Waiting]:
    """Ask for a lock that is one's own."""
    rt = yield from desk.runtime
    yield from rt.slow.lock_twice()


@do
def forked() -> Do[None, Any, Waiting]:
    """Wait for a fiber that waits for ever."""
    fiber = yield from fork(wait_for_ever())
    yield from join(fiber)


def test_what_comes_later_than_anybody_waits_is_told() -> None:
    """Nobody waits for more than a year: it is said that something would have come."""

    @do
    def late() -> Do[None, Any, Waiting]:
        rt = yield from desk.runtime
        yield from rt.clock.sleep(timedelta(days=400))

    with pytest.raises(Deadlocked, match="everybody waits, and the next thing happens in more than a year"):
        waiting().run(late())


def test_a_program_that_circles_without_time_is_told() -> None:
    """What never lets time pass is no infinite loop."""

    @do
    def circle() -> Do[None, Any, Waiting]:
        rt = yield from desk.runtime
        while True:
            yield from rt.clock.sleep(timedelta(0))

    with pytest.raises(Deadlocked, match="somebody goes in circles"):
        waiting().run(circle())


@pytest.mark.anyio
async def test_it_runs_inside_an_event_loop_too() -> None:
    """A test that is async itself may simulate, whatever runs it."""
    assert waiting(start=NOON).run(wait_a_day()) == NOON + timedelta(days=1)


def test_a_defect_is_an_exit() -> None:
    """A bug is `Died`, with its exception."""

    @do
    def bug() -> Do[None, Any, Waiting]:
        yield from desk.runtime
        raise ZeroDivisionError

    ended = waiting().exit(bug())
    assert isinstance(ended, Died)
    assert isinstance(ended.exception, ZeroDivisionError)
