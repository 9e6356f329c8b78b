"""Retry and repeat on a clock of our own: when they wait, when they stop, what they remember."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field

from effect_runtime.effect import (
    Died,
    Eff,
    Failed,
    Schedule,
    Succeeded,
    attempt,
    defer,
    die,
    fail,
    repeat,
    retry,
    succeed,
)
from effect_runtime.errors import UnhandledFailure
from effect_runtime.interpreter import Host, Interpreter, system_host

pytestmark = pytest.mark.anyio

second = timedelta(seconds=1)
bug = ZeroDivisionError("bug")


@define
class Stopwatch:
    """A clock that moves only when somebody sleeps on it."""

    passed: timedelta = timedelta(0)
    slept: list[timedelta] = field(factory=list)

    def now(self) -> datetime:
        """Return the current moment."""
        return datetime(2026, 1, 1, tzinfo=UTC) + self.passed

    def monotonic(self) -> float:
        """Return the seconds that were slept."""
        return self.passed.total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        """Move the clock."""
        self.slept.append(duration)
        self.passed += duration


@define
class Dice:
    """Entropy that always draws the same."""

    drawn: int = 0

    def uuid(self) -> UUID:
        """Return an id."""
        return UUID(int=0)

    def random(self) -> float:
        """Return one half."""
        self.drawn += 1
        return 0.5


@define
class Tries:
    """A program that fails with its number until `good`, and counts its tries."""

    good: int
    made: int = 0

    def program(self) -> Eff[int, str]:
        """Try once more."""

        def once() -> Eff[int, str]:
            self.made += 1
            return succeed(self.made) if self.made >= self.good else fail(f"try {self.made}")

        return defer(once)


def on(watch: Stopwatch, dice: Dice | None = None) -> Interpreter:
    """Return an interpreter on that clock."""
    return Interpreter(host=Host(watch, dice or Dice(), system_host().blocking))


async def test_retry_runs_again_until_it_succeeds() -> None:
    """It waits before each further try as the schedule says, and yields the first value."""
    watch, tries = Stopwatch(), Tries(good=4)
    exit = await on(watch).run_exit(retry(tries.program(), Schedule.exponential(second)))
    assert (exit, tries.made, watch.slept) == (Succeeded(4), 4, [second, 2 * second, 4 * second])


async def test_retry_does_not_sleep_after_the_last_try() -> None:
    """When tries are spent it fails at once."""
    watch, tries = Stopwatch(), Tries(good=99)
    exit = await on(watch).run_exit(retry(tries.program(), Schedule.fixed(second).times(2)))
    assert (exit, tries.made, watch.slept) == (Failed("try 3"), 3, [second, second])


async def test_retry_remembers_the_failures_of_earlier_tries() -> None:
    """The last failure carries the earlier ones as notes, each once."""
    with pytest.raises(UnhandledFailure) as caught:
        await on(Stopwatch()).run(retry(Tries(good=99).program(), Schedule.fixed(second).times(2)))
    assert caught.value.error == "try 3"
    assert caught.value.__notes__ == ["try 1 failed with 'try 1'", "try 2 failed with 'try 2'"]


async def test_retry_keeps_to_its_total_deadline() -> None:
    """No wait that would end after the deadline is begun."""
    watch, tries = Stopwatch(), Tries(good=99)
    schedule = Schedule.fixed(second).within(timedelta(seconds=2.5))
    exit = await on(watch).run_exit(retry(tries.program(), schedule))
    assert (exit, watch.slept) == (Failed("try 3"), [second, second])


async def test_retry_passes_what_its_schedule_does_not_cover() -> None:
    """Failures of other classes, defects and successes end it at once."""
    watch = Stopwatch()
    schedule = Schedule.fixed(second).only(int)
    assert await on(watch).run_exit(retry(fail("text"), schedule)) == Failed("text")
    assert await on(watch).run_exit(retry(die(bug), Schedule())) == Died(bug)
    assert await on(watch).run_exit(retry(succeed(1), Schedule())) == Succeeded(1)
    assert watch.slept == []


async def test_chance_is_drawn_only_for_jitter() -> None:
    """An exact schedule draws no random number; a jittered one draws one per wait."""
    watch, dice = Stopwatch(), Dice()
    await on(watch, dice).run_exit(retry(Tries(good=3).program(), Schedule.fixed(second)))
    assert dice.drawn == 0
    await on(watch, dice).run_exit(retry(Tries(good=3).program(), Schedule.exponential(second, jitter=1.0)))
    assert (dice.drawn, watch.slept) == (2, [second, second, second / 2, second])


async def test_repeat_yields_the_last_value() -> None:
    """It runs again after each success as often as the schedule says."""
    watch, tries = Stopwatch(), Tries(good=0)
    exit = await on(watch).run_exit(repeat(tries.program(), Schedule.fixed(second).times(3)))
    assert (exit, watch.slept) == (Succeeded(4), [second] * 3)


async def test_a_failure_ends_a_repeat() -> None:
    """The first failure is the failure of the whole."""
    watch = Stopwatch()
    turns: list[int] = []

    def once() -> Eff[None, str]:
        turns.append(1)
        return fail("no") if len(turns) == 3 else succeed(None)

    assert await on(watch).run_exit(repeat(defer(once), Schedule.fixed(second))) == Failed("no")
    assert watch.slept == [second, second]


async def test_a_retry_inside_an_attempt_can_be_run_again() -> None:
    """Running the same retry value twice counts its tries anew."""
    watch = Stopwatch()
    program: Eff[Any, Any] = attempt(retry(fail("no"), Schedule.fixed(second).times(1)))
    interpreter = on(watch)
    assert (await interpreter.run(program), await interpreter.run(program)) == (Failed("no"), Failed("no"))
    assert watch.slept == [second, second]
