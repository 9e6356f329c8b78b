"""When a unit is in another's way, when the store is in trouble, and when time is up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from anyio import Event, create_task_group

from effect_runtime import Failed, Schedule, Succeeded, attempt, publish
from effect_runtime.dispatch import Conflict, DeadlineExceeded, StoreUnavailable
from effect_runtime.effect import exit_of, fork, from_async, join, scoped, uninterruptible
from effect_runtime.errors import StoreConflict, StoreDown, TransactionLost, UnhandledFailure
from effect_runtime.integration import Envelope
from tests.dispatch.world import All, Bench, Keep, NoteKept, Other, Reading, Writing, keeper

pytestmark = pytest.mark.anyio

busy = StoreConflict("notes", reason="another unit was first")
lost = TransactionLost("notes", reason="the disk was full")
down = StoreDown("notes", reason="the disk is gone")


async def test_a_conflict_runs_the_command_again(bench: Bench) -> None:
    """The whole body runs anew in a new unit, and the caller sees only the success."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("commit", busy, busy)
    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
        assert bench.store.log == ["unit", "begin", "commit"] * 2 + ["unit", "begin", "commit", "committed"]
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]


async def test_conflicts_end_with_their_schedule(bench: Bench) -> None:
    """After the last try the reason is told, and nothing was written."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("commit", *[busy] * 3)
    async with bench.running(notes, conflicts=Schedule().times(2)) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Conflict("another unit was first"))
        assert await bench.rows() == {}


async def test_the_deadline_of_a_schedule_counts_from_the_first_try(bench: Bench) -> None:
    """Not from the first conflict: no further try begins when the first has used the time up."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("commit", busy)
    async with bench.running(notes, conflicts=Schedule().within(timedelta(0))) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Conflict("another unit was first"))
        assert bench.store.log == ["unit", "begin", "commit"]


async def test_a_conflict_at_a_statement_is_one_even_when_the_body_hides_it(bench: Bench) -> None:
    """Whatever the program makes of the exception, its unit runs again."""
    notes = bench.context()
    bench.store.on("begin", busy)

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from exit_of(rt.notes.put(command.key, command.value))
        return 1

    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
        assert await bench.rows() == {"a": 1}


async def test_no_unit_runs_again_past_a_non_idempotent_call(bench: Bench) -> None:
    """What went out cannot be taken back: the conflict is told instead, with the operation's name."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.post.send("a letter")
        yield from rt.notes.put(command.key, command.value)
        return 1

    bench.store.on("commit", busy)
    async with bench.running(notes) as app:
        exit = await app.run_exit(keep(Keep("a")))
    reason = "another unit was first; it cannot run again, because Post.send may have taken effect"
    assert exit == Failed(Conflict(reason))
    assert bench.post.log == ["sent a letter"]


async def test_an_idempotent_call_may_happen_again(bench: Bench) -> None:
    """Transactional, local and idempotent operations are all repeatable."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.clock.now()
        yield from rt.post.set_flag("up")
        yield from rt.notes.put(command.key, command.value)
        return 1

    bench.store.on("commit", busy)
    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
    assert bench.post.log == ["flag up", "flag up"]


async def test_a_lost_transaction_runs_again_alone_once(bench: Bench) -> None:
    """Another's trouble must not decide over this unit; its own does, the second time."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("commit", lost, None, lost, lost)
    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
        assert bench.store.log == ["unit", "begin", "commit", "alone", "begin", "commit", "committed"]
        assert await app.run_exit(keep(Keep("b"))) == Failed(Conflict("the disk was full"))
        assert await bench.rows() == {"a": 1}


async def test_a_lost_transaction_is_not_repeated_past_a_non_idempotent_call(bench: Bench) -> None:
    """The same rule as for conflicts."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.post.send("a letter")
        yield from rt.notes.put(command.key, command.value)
        return 1

    bench.store.on("commit", lost)
    async with bench.running(notes) as app:
        exit = await app.run_exit(keep(Keep("a")))
    assert isinstance(exit, Failed)
    assert isinstance(exit.error, Conflict)
    assert bench.post.log == ["sent a letter"]


@pytest.mark.parametrize("point", ["begin", "commit"])
async def test_a_store_that_is_down_is_a_value(bench: Bench, point: str) -> None:
    """The caller learns that nothing was done, and by which store."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on(point, down)  # type: ignore[arg-type]  # one of the points
    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(StoreUnavailable("notes", "the disk is gone"))
        assert await bench.rows() == {}


async def test_a_store_that_is_down_at_the_plain_read_is_a_value(bench: Bench) -> None:
    """The read of the stored answer is no exception."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("answer", down)
    async with bench.running(notes) as app:
        exit = await app.run_exit(keep(Keep("a")), command_id="c")
        assert exit == Failed(StoreUnavailable("notes", "the disk is gone"))


async def test_a_store_that_is_down_for_a_query_is_a_value(bench: Bench) -> None:
    """Reading is no exception either."""
    notes = bench.context()

    @notes.query(access="public")
    def read(query: All) -> Reading[int]:
        yield from notes.reads
        return 1

    bench.store.on("reading", down)
    async with bench.running(notes) as app:
        assert await app.run_exit(read(All())) == Failed(StoreUnavailable("notes", "the disk is gone"))


async def test_run_raises_what_kept_a_command_from_being_done(bench: Bench) -> None:
    """The door that returns values raises a `NotDone` like a failure."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("begin", down)
    async with bench.running(notes) as app:
        with pytest.raises(UnhandledFailure) as caught:
            await app.run(keep(Keep("a")))
    assert caught.value.error == StoreUnavailable("notes", "the disk is gone")


async def test_what_kept_a_command_from_being_done_is_no_failure_of_a_program(bench: Bench) -> None:
    """A program of several commands cannot catch it as one of its declared failures."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("begin", down)
    async with bench.running(notes) as app:
        assert await app.run_exit(attempt(keep(Keep("a")))) == Failed(StoreUnavailable("notes", "the disk is gone"))


async def test_a_unit_past_its_deadline_is_rolled_back(bench: Bench) -> None:
    """The caller learns which operation was running."""
    notes = bench.context()
    after = timedelta(milliseconds=30)

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from rt.clock.sleep(timedelta(days=1))
        return 1

    async with bench.running(notes, deadline=after) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(DeadlineExceeded("Clock.sleep", after))
        assert await bench.rows() == {}
        assert await bench.audit() == []


async def test_a_deadline_cannot_be_swallowed(bench: Bench) -> None:
    """A body that catches everything is rolled back all the same."""
    notes = bench.context()
    after = timedelta(milliseconds=30)

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        try:
            yield from rt.clock.sleep(timedelta(days=1))
        except BaseException:
            return 1
        return 2

    async with bench.running(notes, deadline=after) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(DeadlineExceeded("Clock.sleep", after))
        assert await bench.rows() == {}


async def test_an_external_call_while_the_transaction_is_open_is_a_diagnostic(bench: Bench) -> None:
    """It holds the transaction open for as long as it takes; the diagnostic names the line."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from rt.post.set_flag("late")
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Succeeded(1)
    (diagnostic,) = bench.diagnostics
    assert (diagnostic.kind, diagnostic.command) == ("external-in-transaction", "notes.keep")
    assert diagnostic.subject.startswith("Post.set_flag: ")
    assert "test_conflicts.py:" in diagnostic.place


class FailingTransport:
    """A transport interpreter that fails after each commit."""

    durable = False

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:
        """Write nothing."""
        return ()

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Fail."""
        raise OSError("no route")


async def test_trouble_after_the_commit_does_not_change_the_answer(bench: Bench) -> None:
    """A transport interpreter that fails is a diagnostic: the command stands."""
    notes = bench.context()
    bench.transport = FailingTransport()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Succeeded(1)
        assert await bench.rows() == {"a": 1}
    (diagnostic,) = bench.diagnostics
    assert (diagnostic.kind, diagnostic.subject) == (
        "after-commit",
        "1 committed events were not handed on: OSError: no route",
    )


async def test_a_unit_that_waits_for_the_writer_is_named_by_its_operation(bench: Bench) -> None:
    """Time may also be up in the queue of the store."""
    notes = bench.context()
    keep = keeper(notes)
    after = timedelta(milliseconds=40)
    entered, leave = Event(), Event()

    @notes.command(access="public")
    def hold(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        entered.set()
        yield from uninterruptible(from_async(leave.wait))
        return 1

    exits: list[object] = []
    async with bench.running(notes, deadline=after) as app, create_task_group() as group:

        async def hold_it() -> None:
            exits.append(await app.run_exit(hold(Other("held"))))

        group.start_soon(hold_it)
        await entered.wait()
        assert await app.run_exit(keep(Keep("a"))) == Failed(DeadlineExceeded("Notes.put", after))
        leave.set()
    assert len(exits) == 1


async def test_a_fork_ends_before_the_commit(bench: Bench) -> None:
    """What a fork has not done when its scope ends is not in the commit, and cannot come after it."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        late = rt.clock.sleep(timedelta(days=1)) >> rt.notes.put("late", 1)
        joined = fork(rt.notes.put("joined", 1)).bind(join)
        yield from scoped(fork(late) >> joined)
        yield from rt.notes.put(command.key, command.value)
        return 1

    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
        assert await bench.rows() == {"a": 1, "joined": 1}
