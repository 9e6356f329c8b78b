"""Cancellation at every point of a command: all of it happened, or none, and the next command works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import pytest
from anyio import CancelScope, Event, create_task_group
from anyio.lowlevel import checkpoint

from effect_runtime import App, atomic, attempt, emit, fail, gather, publish
from effect_runtime.effect import Call, Operation, from_async, uninterruptible
from effect_runtime.interpreter import Perform
from tests.dispatch.world import Bench, Keep, KeptOccurred, NoteKept, Other, Refusal, Writing, keeper

pytestmark = pytest.mark.anyio


class Stopwatch:
    """Counts the points that a command passes, and cancels at the one it is told."""

    def __init__(self, stop_at: int, cancel: Callable[[], None]) -> None:
        self.passed = 0
        self.stop_at = stop_at
        self.cancel = cancel

    async def point(self) -> None:
        """Be a point at which a command can be cancelled."""
        self.passed += 1
        if self.passed == self.stop_at:
            self.cancel()
        await checkpoint()


def stopping(watch: Stopwatch) -> Callable[[Perform], Perform]:
    """Return an interceptor with a point before and after every operation."""

    def around(inner: Perform) -> Perform:
        async def perform(operation: Operation, runtime: object) -> object:
            if isinstance(operation, Call):
                return await inner(operation, runtime)
            await watch.point()
            value = await inner(operation, runtime)
            await watch.point()
            return value

        return perform

    return around


async def outcome_of_cancelling_at(bench: Bench, point: int) -> tuple[bool, dict[str, int], int]:
    """Cancel a command with everything in it at one point; say whether there was such a point, and what is left."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Other) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, 0)
        return (yield from fail(Refusal("always")))

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from attempt(inner(Other("undone")))
        yield from gather(rt.notes.put("left", 1), rt.notes.put("right", 2))
        yield from atomic(rt.notes.put("middle", 3))
        yield from emit(KeptOccurred("heard"))
        yield from publish(NoteKept(command.key))
        return 1

    @notes.on(KeptOccurred)
    def hear(event: KeptOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(event.key, 4)

    scope = CancelScope()
    watch = Stopwatch(point, scope.cancel)
    for place in ("begin", "claim", "savepoint", "release", "rollback_to", "commit", "committed"):
        bench.store.on(place, *[watch.point] * 6)
    async with bench.running(notes, interceptors=[stopping(watch)]) as app:
        with scope:
            await app.run_exit(keep(Keep("a")), command_id="c")
        rows = await bench.rows()
        bench.store.script.clear()
        watch.stop_at = 0
        assert await app.run(keep(Keep("a")), command_id="c") == 1
        assert await bench.rows() == {"left": 1, "right": 2, "middle": 3, "heard": 4}
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]
        return watch.passed >= point, rows, len(bench.published())


async def test_a_command_cancelled_at_any_point_happens_wholly_or_not_at_all(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Counted over every operation and every call of the store; asked again with its id it has happened once."""
    point, seen = 0, set()
    while True:
        point += 1
        fresh = Bench.on(bench.kind, tmp_path_factory.mktemp("point"))
        reached, rows, published = await outcome_of_cancelling_at(fresh, point)
        assert rows in ({}, {"left": 1, "right": 2, "middle": 3, "heard": 4})
        assert published <= 1
        seen.add(bool(rows))
        if (fresh.store.log and not reached) or point > 200:
            break
    assert point > 20
    assert seen == {True, False}


async def test_a_cancelled_command_leaves_the_store_usable(bench: Bench) -> None:
    """The turn of the writer is given back: the next command does not wait for ever."""
    notes = bench.context()
    keep = keeper(notes)
    entered = Event()

    @notes.command(access="public")
    def hang(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put("hanging", 1)
        entered.set()
        yield from from_async(anyio.sleep_forever)
        return 1

    async with bench.running(notes) as app:
        async with create_task_group() as group:
            group.start_soon(app.run, hang(Other("x")))
            await entered.wait()
            group.cancel_scope.cancel()
        assert await app.run(keep(Keep("a"))) == 1
        assert await bench.rows() == {"a": 1}


async def test_a_command_that_waits_for_its_turn_can_be_cancelled(bench: Bench) -> None:
    """Cancelled in the queue of the writer, it leaves the queue."""
    notes = bench.context()
    keep = keeper(notes)
    entered, leave = Event(), Event()

    @notes.command(access="public")
    def hold(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put("held", 1)
        entered.set()
        yield from from_async(leave.wait)
        return 1

    async with bench.running(notes) as app:
        async with create_task_group() as group:
            group.start_soon(app.run, hold(Other("x")))
            await entered.wait()
            with CancelScope() as scope:
                async with create_task_group() as inner:
                    inner.start_soon(app.run, keep(Keep("a")))
                    await checkpoint()
                    scope.cancel()
            leave.set()
        assert await bench.rows() == {"held": 1}
        assert await app.run(keep(Keep("b"))) == 1


async def test_a_cancelled_caller_whose_commit_is_running_learns_its_verdict(bench: Bench) -> None:
    """The commit is not left half-way: the rows are there, and the id answers."""
    notes = bench.context()
    keep = keeper(notes)
    scope = CancelScope()

    async def cancel() -> None:
        scope.cancel()

    bench.store.on("commit", cancel)
    async with bench.running(notes) as app:
        answers: list[int] = []
        with scope:
            answers.append(await app.run(keep(Keep("a")), command_id="c"))
        assert await app.run(keep(Keep("a")), command_id="c") == 1
        assert await bench.rows() == {"a": 1}
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]


async def test_a_finalizer_runs_when_a_twin_answers(bench: Bench) -> None:
    """An abandoned body is unwound like a cancelled one, uninterruptible parts included."""
    notes = bench.context()
    gate, cleaned = Event(), []

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        try:
            yield from from_async(gate.wait)
            yield from uninterruptible(rt.notes.put(command.key, command.value))
        finally:
            cleaned.append(1)
        return 7

    answers: list[int] = []
    async with bench.running(notes) as app:

        async def ask() -> None:
            answers.append(await app.run(keep(Keep("a")), command_id="c"))

        async with create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(ask)
            gate.set()
    assert answers == [7, 7]
    assert cleaned == [1, 1]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancel_of_the_task_undoes_the_command(bench: Bench) -> None:
    """`task.cancel()`, as frameworks do it, leaves nothing and is not swallowed."""
    notes = bench.context()
    keep = keeper(notes)
    entered = asyncio.Event()

    @notes.command(access="public")
    def hang(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put("hanging", 1)
        entered.set()
        try:
            yield from from_async(anyio.sleep_forever)
        except BaseException:
            return 1
        return 2

    async with bench.running(notes) as app:
        task = asyncio.ensure_future(app.run(hang(Other("x"))))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await bench.rows() == {}
        assert await app.run(keep(Keep("a"))) == 1


async def test_closing_waits_for_commands_in_flight(bench: Bench) -> None:
    """On the way out no new message is taken, and those in flight end."""
    notes = bench.context()
    entered, leave = Event(), Event()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        entered.set()
        yield from from_async(leave.wait)
        yield from rt.notes.put(command.key, command.value)
        return 1

    answers: list[int] = []

    async def ask(app: App) -> None:
        answers.append(await app.run(keep(Keep("a"))))

    async with create_task_group() as group:
        async with bench.running(notes) as app:
            group.start_soon(ask, app)
            await entered.wait()
            leave.set()
    assert answers == [1]
    async with bench.running(notes):
        assert await bench.rows() == {"a": 1}
