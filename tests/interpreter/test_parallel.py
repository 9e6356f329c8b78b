"""Programs that run together: order of results, which outcome is told, how many run at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from attrs import define

from effect_runtime.effect import (
    Cancelled,
    Died,
    Do,
    Eff,
    Failed,
    Fiber,
    Succeeded,
    TimedOut,
    attempt,
    cancel,
    die,
    do,
    ensure,
    exit_of,
    fail,
    for_each,
    fork,
    from_async,
    from_sync,
    gather,
    join,
    race,
    scoped,
    succeed,
    timeout,
    validate,
)
from effect_runtime.errors import FiberCancelled, ForkOutsideScope, UnhandledFailure, UnjoinedFailure
from effect_runtime.interpreter import run, run_exit

pytestmark = pytest.mark.anyio

bug = ZeroDivisionError("bug")
forever = from_async(anyio.sleep_forever)
step = from_async(anyio.lowlevel.checkpoint)


def after(turns: int, ending: Eff[Any, Any]) -> Eff[Any, Any]:
    """Let other tasks run `turns` times, then end as told."""
    return for_each(range(turns), lambda _: step).then(ending)


@define
class Gate:
    """Count who is inside at once."""

    inside: int = 0
    most: int = 0

    def through(self, number: int) -> Eff[int]:
        """Go in, wait, go out."""

        async def walk() -> int:
            self.inside += 1
            self.most = max(self.most, self.inside)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            self.inside -= 1
            return number * 10

        return from_async(walk)


async def test_gather_keeps_the_order() -> None:
    """Values come in the order of the effects, whoever ends first."""
    assert await run(gather(after(5, succeed("slow")), succeed("quick"), after(2, succeed("mid")))) == (
        "slow",
        "quick",
        "mid",
    )
    assert await run(gather()) == ()


async def test_gather_runs_at_once() -> None:
    """Two programs that wait for each other both end: concurrency is real."""
    first, second = anyio.Event(), anyio.Event()

    async def meet(mine: anyio.Event, other: anyio.Event) -> str:
        mine.set()
        await other.wait()
        return "met"

    assert await run(gather(from_async(meet, first, second), from_async(meet, second, first))) == ("met", "met")


async def test_gather_fails_with_the_lowest_index_and_cancels_the_others() -> None:
    """The failure cancels a branch that would never end; of failures in one moment the lowest index is told."""
    assert await run_exit(gather(forever, fail("second"), fail("third"))) == Failed("second")


async def test_a_failure_told_later_is_a_note() -> None:
    """The failures that were not told are notes of the one that was."""
    with pytest.raises(UnhandledFailure) as caught:
        await run(gather(fail("first"), fail("second")))
    assert caught.value.error == "first"
    assert caught.value.__notes__ in ([], ["at the same time: typed failure 'second'"])


async def test_defects_win_over_failures() -> None:
    """A defect beside a failure is told; two defects are a group."""
    other = ValueError("other")
    failing: Eff[None, str] = ensure(fail("no"), step)
    assert await run_exit(gather(ensure(forever, die(bug)), failing)) == Died(bug)
    exit = await run_exit(gather(ensure(forever, die(bug)), ensure(die(other), step)))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ExceptionGroup)
    assert exit.exception.exceptions == (bug, other)


async def test_validate_collects_all_failures() -> None:
    """`validate` runs all to their end and fails with every failure, in order."""
    program = validate(after(3, fail("a")), succeed(1), fail("b"))
    assert await run_exit(program) == Failed(("a", "b"))
    assert await run_exit(validate(succeed(1), after(2, succeed(2)))) == Succeeded((1, 2))
    assert await run_exit(validate(fail("a"), die(bug))) == Died(bug)
    assert await run_exit(validate()) == Succeeded(())


async def test_race_yields_the_first_value() -> None:
    """`race` yields the first value; a failure before it does not end the race."""
    assert await run(race(forever, after(3, succeed("late")), fail("early"))) == "late"


async def test_race_fails_when_all_fail() -> None:
    """When all fail, the lowest index is told, whoever failed first."""
    assert await run_exit(race(after(3, fail("a")), fail("b"))) == Failed("a")


async def test_a_defect_ends_a_race_at_once() -> None:
    """A defect is no loser: it ends the race."""
    assert await run_exit(race(forever, die(bug))) == Died(bug)


async def test_a_race_needs_a_runner() -> None:
    """An empty race is refused where it is built."""
    with pytest.raises(TypeError, match="at least one effect"):
        race()


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_for_each_bounds_how_many_run(limit: int) -> None:
    """At most `limit` run at once, that many do, and values come in the order of the items."""
    gate = Gate()
    values = await run(for_each(range(20), gate.through, limit=limit))
    assert values == tuple(number * 10 for number in range(20))
    assert gate.most == min(limit, 20)


@pytest.mark.parametrize("limit", [1, 3])
async def test_for_each_stops_at_the_first_failure(limit: int) -> None:
    """After a failure no further item is started."""
    started: list[int] = []

    def each(number: int) -> Eff[int, str]:
        started.append(number)
        return fail(f"no {number}") if number == 2 else step.map(lambda _: number)

    assert await run_exit(for_each(range(100), each, limit=limit)) == Failed("no 2")
    assert len(started) <= 2 + limit


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_function_that_breaks_in_for_each_is_a_defect(limit: int) -> None:
    """An exception of the function that builds the effects is a defect."""

    def each(number: int) -> Eff[int]:
        raise bug

    assert await run_exit(for_each(range(3), each, limit=limit)) == Died(bug)


async def test_for_each_can_be_run_again() -> None:
    """The items are kept, so an iterator is used up only once."""
    program = for_each(iter([1, 2]), succeed)
    assert (await run(program), await run(program)) == ((1, 2), (1, 2))


def test_a_limit_of_none_is_refused() -> None:
    """A limit below one would run nothing."""
    with pytest.raises(ValueError, match=r"for_each\(limit=0\)"):
        for_each([1], succeed, limit=0)


async def test_timeout_fails_with_timed_out() -> None:
    """A program that takes too long fails; one that does not keeps its value."""
    after_ten = timedelta(milliseconds=10)
    assert await run_exit(timeout(forever, after_ten)) == Failed(TimedOut(after_ten))
    assert await run_exit(timeout(step.then(succeed(1)), timedelta(hours=1))) == Succeeded(1)
    assert await run_exit(timeout(fail("no"), timedelta(hours=1))) == Failed("no")


async def test_timeouts_nest() -> None:
    """The inner timeout is answered inside the outer one, and the outer one still works afterwards."""
    short = timedelta(milliseconds=10)

    @do
    def program() -> Do[object, TimedOut]:
        inner = yield from attempt(timeout(forever, short))
        yield from step
        return inner

    assert await run_exit(timeout(program(), timedelta(hours=1))) == Succeeded(Failed(TimedOut(short)))
    assert await run_exit(timeout(timeout(forever, timedelta(hours=1)), short)) == Failed(TimedOut(short))


async def test_join_ends_as_the_fork_ended() -> None:
    """Joining yields the value or fails with the failure, as often as one asks."""

    @do
    def program(body: Eff[int, str]) -> Do[tuple[object, object], str]:
        fiber = yield from fork(body)
        return (yield from attempt(join(fiber))), (yield from attempt(join(fiber)))

    assert await run(scoped(program(after(2, succeed(1))))) == (Succeeded(1), Succeeded(1))
    assert await run(scoped(program(after(2, fail("no"))))) == (Failed("no"), Failed("no"))


async def test_a_fork_runs_beside_its_parent() -> None:
    """The parent goes on while the fork runs."""
    ready = anyio.Event()

    @do
    def program() -> Do[str]:
        fiber = yield from fork(from_async(ready.wait).map(lambda _: "done"))
        yield from from_sync(ready.set)
        return (yield from join(fiber))

    assert await run(scoped(program())) == "done"


async def test_a_failure_that_nobody_joined_is_told() -> None:
    """The scope ends with a defect that carries the failure."""

    @do
    def program() -> Do[int]:
        yield from fork(fail("lost"))
        yield from after(3, succeed(None))
        return 1

    exit = await run_exit(scoped(program()))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, UnjoinedFailure)
    assert exit.exception.error == "lost"


async def test_a_defect_of_a_fork_cancels_its_scope_at_once() -> None:
    """The parent does not wait for ever beside a broken fork."""

    @do
    def program() -> Do[None]:
        yield from fork(after(2, die(bug)))
        yield from forever

    assert await run_exit(scoped(program())) == Died(bug)


async def test_a_fork_ends_with_its_scope() -> None:
    """A fork that still runs when its scope ends is cancelled and closed before the program goes on."""
    journal: list[str] = []

    @do
    def program() -> Do[int]:
        yield from fork(ensure(forever, from_sync(journal.append, "closed")))
        yield from step
        return 1

    @do
    def outer() -> Do[int]:
        number = yield from scoped(program())
        journal.append("on")
        return number

    assert await run(outer()) == 1
    assert journal == ["closed", "on"]


async def test_cancel_waits_for_the_finalizers_of_the_fork() -> None:
    """Cancelling a fork goes on when it is closed, and its exit is `Cancelled`."""
    journal: list[str] = []

    @do
    def program() -> Do[object]:
        fiber: Fiber[None] = yield from fork(ensure(forever, step.then(from_sync(journal.append, "closed"))))
        yield from step
        yield from cancel(fiber)
        journal.append("on")
        return (yield from exit_of(join(fiber)))

    assert await run(scoped(program())) == Cancelled()
    assert journal == ["closed", "on"]


async def test_joining_a_cancelled_fork_is_a_defect() -> None:
    """A cancelled fork has no value to give."""

    @do
    def program() -> Do[None]:
        fiber = yield from fork(forever)
        yield from cancel(fiber)
        yield from join(fiber)

    exit = await run_exit(scoped(program()))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, FiberCancelled)


async def test_a_fork_needs_a_scope() -> None:
    """A fork that nothing would end is refused."""
    exit = await run_exit(fork(succeed(1)))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ForkOutsideScope)
