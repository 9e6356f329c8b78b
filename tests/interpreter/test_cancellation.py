"""Cancellation at every await of a program: finalizers once, in reverse, nothing swallowed, nothing half-done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Never

import anyio
import anyio.lowlevel
import pytest
from attrs import define, field

from effect_runtime.effect import (
    Do,
    Eff,
    Schedule,
    acquire,
    attempt,
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
    retry,
    scoped,
    succeed,
    timeout,
    uninterruptible,
    validate,
)
from effect_runtime.errors import RunningWarning
from effect_runtime.interpreter import Interpreter, run, run_exit

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@define
class World:
    """Counts awaits, strikes at one of them, and keeps what was opened and closed."""

    strike: Callable[[], None]
    strike_at: int
    awaits: int = 0
    journal: list[str] = field(factory=list)
    names: Counter[str] = field(factory=Counter)

    async def wait(self) -> None:
        """Be one await of the program."""
        self.awaits += 1
        if self.awaits == self.strike_at:
            self.strike()
        await anyio.lowlevel.checkpoint()

    def step(self) -> Eff[None]:
        """Wait once."""
        return from_async(self.wait)

    def resource(self, name: str) -> Eff[str]:
        """Open something that waits while it opens and while it closes."""
        self.names[name] += 1
        unique = f"{name}#{self.names[name]}"

        async def opening() -> str:
            await self.wait()
            self.journal.append(f"open {unique}")
            return unique

        async def closing(it: str) -> None:
            await self.wait()
            self.journal.append(f"close {it}")

        return acquire(from_async(opening), lambda it: from_async(closing, it))


@do
def swallowing(world: World) -> Do[str]:
    """Try to swallow everything, the way careless code does."""
    try:
        yield from world.step()
        yield from world.step()
    except BaseException:  # the slip under test
        return "swallowed"
    return "whole"


@do
def nested(world: World, depth: int) -> Do[int]:
    """Be blocks within blocks, each with a resource and a `finally`."""
    yield from world.resource(f"level {depth}")
    try:
        if depth:
            return 1 + (yield from nested(world, depth - 1))
        yield from world.step()
        return 0
    finally:
        world.journal.append(f"left {depth}")


@do
def flaky(world: World, tries: list[int]) -> Do[int, str]:
    """Fail twice, then succeed."""
    yield from world.resource("try")
    tries.append(1)
    yield from world.step()
    if len(tries) % 3:
        yield from fail("again")
    return len(tries)


@do
def forked(world: World) -> Do[int]:
    """Fork, work, join."""
    fiber = yield from fork(scoped(nested(world, 1)))
    yield from world.step()
    return (yield from join(fiber))


@do
def body(world: World) -> Do[None, Any]:
    """Use scopes, retries, parallel branches, nested blocks, forks, timeouts: every frame there is."""
    yield from world.resource("outer")
    yield from scoped(nested(world, 2))
    yield from retry(scoped(flaky(world, [])), Schedule.fixed(timedelta(0)).times(5))
    yield from gather(scoped(nested(world, 1)), scoped(nested(world, 0)), swallowing(world))
    yield from race(scoped(nested(world, 0)), world.step().then(world.step()).map(lambda _: 9))
    yield from for_each(range(3), lambda _: scoped(world.resource("item")), limit=2)
    yield from attempt(validate(world.step(), fail("no"), world.step()))
    yield from timeout(scoped(world.resource("timed")), HOUR)
    yield from scoped(forked(world))
    yield from ensure(world.step(), world.step())
    yield from uninterruptible(world.step().then(world.step()))
    yield from exit_of(swallowing(world))
    yield from swallowing(world)
    yield from world.step()


@do
def program(world: World) -> Do[str, Any]:
    """Run the body in a scope of its own, and end after a last wait."""
    yield from scoped(body(world))
    yield from world.step()
    world.journal.append("end")
    return "done"


def balanced(journal: list[str]) -> bool:
    """Say whether everything that was opened was closed, once."""
    opened = [entry.removeprefix("open ") for entry in journal if entry.startswith("open ")]
    closed = [entry.removeprefix("close ") for entry in journal if entry.startswith("close ")]
    return sorted(opened) == sorted(closed) and len(set(closed)) == len(closed)


def _cancel(task: asyncio.Task[str]) -> None:
    task.cancel()


async def count_awaits() -> int:
    """Run the program undisturbed and count its awaits."""
    world = World(lambda: None, -1)
    assert await run(program(world)) == "done"
    assert balanced(world.journal)
    return world.awaits


async def test_cancellation_at_every_await_is_seen_and_leaves_nothing_open() -> None:
    """A host that cancels at await n sees the program stop there, everything closed, for every n."""
    total = await count_awaits()
    assert total > 50
    for number in range(1, total + 1):
        host = anyio.CancelScope()
        world = World(host.cancel, number)
        with host:
            await run(program(world))
        assert (number, host.cancelled_caught, "end" in world.journal) == (number, True, False)
        assert (number, balanced(world.journal)) == (number, True)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_native_cancellation_at_every_await_is_seen_and_leaves_nothing_open() -> None:
    """`Task.cancel()` at await n, finalizers included, breaks no finalizer and is not swallowed, for every n."""
    total = await count_awaits()
    for number in range(1, total + 1):
        world = World(lambda: None, number)
        task = asyncio.create_task(run(program(world)))
        world.strike = partial(_cancel, task)
        await asyncio.wait([task])
        assert (number, task.cancelled(), "end" in world.journal) == (number, True, False)
        assert (number, balanced(world.journal)) == (number, True)


async def test_run_exit_lets_the_hosts_cancellation_through() -> None:
    """No exit is made of a cancellation: the host sees it."""
    host = anyio.CancelScope()
    world = World(host.cancel, 1)
    with host:
        await run_exit(world.step())
        world.journal.append("never")
    assert (host.cancelled_caught, world.journal) == (True, [])


@pytest.mark.parametrize("width", ["except Exception", "except BaseException"])
async def test_a_broad_except_cannot_swallow_a_cancellation(width: str) -> None:
    """Whatever a block returns after a cancellation was thrown into it, the cancellation goes on."""
    journal: list[str] = []
    caught = Exception if width == "except Exception" else BaseException

    @do
    def careless(world: World) -> Do[str]:
        try:
            yield from world.step()
        except caught:
            journal.append("swallowed")
        return "went on"

    with anyio.CancelScope() as host:
        await run(careless(World(host.cancel, 1)).tap(lambda _: from_sync(journal.append, "after")))
        journal.append("never")
    assert host.cancelled_caught
    assert journal == ([] if caught is Exception else ["swallowed"])


async def test_a_block_that_owns_its_scope_goes_on_after_it() -> None:
    """A cancel scope that a block opened itself ends its cancellation there; nothing else is confused."""

    @do
    def own(world: World) -> Do[str]:
        with anyio.CancelScope() as scope:
            world.strike = scope.cancel
            yield from world.step()
        yield from world.step()
        return f"caught {scope.cancelled_caught}"

    assert await run(own(World(lambda: None, 1))) == "caught True"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("swallows", [False, True])
async def test_a_native_cancellation_ends_with_the_program(swallows: bool) -> None:
    """An effect that waits for nothing while the program is cancelled leaves no cancellation to whoever goes on."""
    journal: list[str] = []

    @do
    def program() -> Do[None]:
        try:
            yield from from_async(anyio.sleep_forever)
        except BaseException:
            yield from from_sync(journal.append, "closed")
            if not swallows:
                raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run(program())
    await asyncio.sleep(0)
    assert journal == ["closed"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("ending", [succeed(1), fail("no")], ids=["value", "failure"])
async def test_a_native_cancellation_that_had_to_wait_ends_with_the_program(ending: Eff[int, str]) -> None:
    """What nothing may interrupt is the program's last wait: the cancellation is seen at its end, and not later."""
    slow = from_async(anyio.sleep, 0.05)
    for program in (uninterruptible(slow).then(ending), ensure(ending, slow)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run(program)
        await asyncio.sleep(0)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_block_that_uses_the_timeout_of_asyncio_goes_on_after_it() -> None:
    """`asyncio.timeout` uncancels its task, so the block's answer is believed."""

    async def too_slow() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        except TimeoutError:
            return "timed out"
        return "never"

    assert await run(from_async(too_slow).tap(lambda _: from_async(asyncio.sleep, 0))) == "timed out"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_future_of_somebody_else_is_no_cancellation_of_ours() -> None:
    """A block may catch the `CancelledError` of a future that it waited for, and `exit_of` sees `Cancelled`."""

    async def on_a_cancelled_future() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    @do
    def catching() -> Do[str]:
        try:
            yield from from_async(on_a_cancelled_future)
        except asyncio.CancelledError:
            return "caught"
        return "never"

    assert await run(catching()) == "caught"
    assert await run(exit_of(from_async(on_a_cancelled_future)).map(lambda exit: type(exit).__name__)) == "Cancelled"


async def test_finally_blocks_have_run_before_the_canceller_goes_on() -> None:
    """Inner `finally` blocks run first, then outer ones, then the canceller."""
    journal: list[str] = []

    @do
    def inner(world: World) -> Do[None]:
        try:
            yield from world.step()
        finally:
            journal.append("inner")

    @do
    def outer(world: World) -> Do[None]:
        try:
            yield from scoped(inner(world))
        finally:
            journal.append("outer")

    with anyio.CancelScope() as host:
        await run(outer(World(host.cancel, 1)))
    journal.append("canceller")
    assert journal == ["inner", "outer", "canceller"]


async def test_a_finalizer_may_use_timeouts_of_its_own() -> None:
    """Inside the shield of a finalizer, timeouts work: what hangs is left and the rest is done."""
    journal: list[str] = []
    forever: Eff[None] = from_async(anyio.sleep_forever)

    @do
    def closing() -> Do[None, Never]:
        outcome = yield from attempt(timeout(forever, timedelta(milliseconds=10)))
        journal.append(type(outcome).__name__)

    with anyio.CancelScope() as host:
        await run(ensure(World(host.cancel, 1).step(), closing()))
    assert (host.cancelled_caught, journal) == (True, ["Failed"])


async def test_debug_warns_of_an_effect_that_a_cancellation_will_cut_off() -> None:
    """An effect awaited in a `finally` runs under the pending cancellation; debug mode names its line."""

    @do
    def closing_by_hand(world: World) -> Do[None]:
        try:
            yield from world.step()
        finally:
            yield from world.step()

    with (
        pytest.warns(RunningWarning, match=r"test_cancellation\.py:\d+ in .*closing_by_hand: an effect runs while"),
        anyio.CancelScope() as host,
    ):
        await Interpreter(debug=True).run(closing_by_hand(World(host.cancel, 1)))
    assert host.cancelled_caught


async def test_keyboard_interrupt_passes_and_closes() -> None:
    """KeyboardInterrupt is no exit: it passes `run_exit`, and finalizers have run."""
    journal: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run_exit(ensure(from_sync(interrupt), from_sync(journal.append, "closed")))
    assert journal == ["closed"]


async def test_a_value_ready_before_the_cancellation_is_kept() -> None:
    """A program that never waits again ends with its value: there is nothing to cancel."""
    with anyio.CancelScope() as host:
        assert await run(from_sync(host.cancel).then(succeed(1))) == 1
    assert not host.cancelled_caught
