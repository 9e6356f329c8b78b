"""A command under an id takes effect once, whatever is repeated, concurrent or killed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from anyio import Event, create_task_group
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime import Failed, Succeeded, fail, publish
from effect_runtime.dispatch import CommandIdReused, CommitUnknown
from effect_runtime.effect import from_async, succeed
from effect_runtime.errors import CommandIdWithoutCommand, CommitUndecided
from effect_runtime.outbox.memory import MemoryStore
from tests.dispatch.troubled import TroubledStore
from tests.dispatch.world import Bench, Keep, NoteKept, Other, Refusal, Writing, keeper

pytestmark = pytest.mark.anyio


async def test_a_repeated_command_is_answered_with_its_stored_success(bench: Bench) -> None:
    """The second time nothing runs: the answer is read beside any unit of work."""
    notes = bench.context()
    bodies: list[int] = []

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[tuple[str, int | None]]:
        rt = yield from notes.runtime
        bodies.append(command.value)
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return (command.key, None)

    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a", 1)), command_id="c") == ("a", None)
        bench.store.log.clear()
        assert await app.run(keep(Keep("a", 1)), command_id="c") == ("a", None)
        assert bench.store.log == ["answer"]
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]
    assert bodies == [1]
    assert len(bench.published()) == 1


async def test_the_same_id_with_another_payload_is_refused(bench: Bench) -> None:
    """An id stands for one intention."""
    notes = bench.context()
    keep = keeper(notes)
    async with bench.running(notes) as app:
        await app.run(keep(Keep("a", 1)), command_id="c")
        assert await app.run_exit(keep(Keep("a", 2)), command_id="c") == Failed(CommandIdReused("c"))
        assert await bench.rows() == {"a": 1}


async def test_the_same_id_for_another_command_is_refused(bench: Bench) -> None:
    """Also when the payloads look alike."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.command(access="public")
    def other(command: Other) -> Writing[int]:
        yield from succeed(None)
        return 1

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a", 1)), command_id="c")
        assert await app.run_exit(other(Other("a", 1)), command_id="c") == Failed(CommandIdReused("c"))


async def test_a_failure_is_judged_anew(bench: Bench) -> None:
    """Only successes are remembered."""
    notes = bench.context()
    allowed: list[bool] = [False, True]

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1 if allowed.pop(0) else (yield from fail(Refusal("not yet")))

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a")), command_id="c") == Failed(Refusal("not yet"))
        assert await app.run_exit(keep(Keep("a")), command_id="c") == Succeeded(1)


async def test_commands_without_an_id_are_not_remembered(bench: Bench) -> None:
    """They are done each time they are asked for, and claim nothing."""
    notes = bench.context()
    keep = keeper(notes)
    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")))
        await app.run(keep(Keep("a")))
        assert "claim" not in bench.store.log
        assert "answer" not in bench.store.log
        assert len(await bench.audit()) == 2


async def test_concurrent_twins_take_effect_once(bench: Bench) -> None:
    """A twin that passed the plain read meets the claim, is abandoned there, and is answered the same."""
    notes = bench.context()
    bodies: list[str] = []
    finished: list[str] = []

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        bodies.append("begun")
        yield from rt.clock.sleep(timedelta(0))
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        finished.append("ended")
        return 7

    answers: list[int] = []
    async with bench.running(notes) as app:

        async def ask() -> None:
            answers.append(await app.run(keep(Keep("a")), command_id="c"))

        async with create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]
    assert answers == [7] * 5
    assert len(bodies) > 1
    assert finished == ["ended"]
    assert len(bench.published()) == 1


async def test_an_abandoned_body_cannot_go_on_behind_the_unit(bench: Bench) -> None:
    """Not even a broad `except` around the operation that met the claim lets the twin act further."""
    notes = bench.context()
    after: list[str] = []
    gate = Event()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from from_async(gate.wait)
        try:
            yield from rt.notes.put(command.key, command.value)
        except Exception:
            yield from rt.post.send("behind its back")
            after.append("swallowed")
        return 7

    async with bench.running(notes) as app:
        answers: list[int] = []

        async def ask() -> None:
            answers.append(await app.run(keep(Keep("a")), command_id="c"))

        async with create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(ask)
            gate.set()
    assert answers == [7, 7]
    assert bench.post.log == []
    assert after == []


async def test_a_twin_whose_first_fails_does_the_work(bench: Bench) -> None:
    """The claim of a failed twin is gone with its transaction."""
    notes = bench.context()
    allowed: list[bool] = [False, True]
    gate = Event()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from from_async(gate.wait)
        yield from rt.notes.put(command.key, command.value)
        return 1 if allowed.pop(0) else (yield from fail(Refusal("first")))

    exits: list[object] = []
    async with bench.running(notes) as app:

        async def ask() -> None:
            exits.append(await app.run_exit(keep(Keep("a")), command_id="c"))

        async with create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(ask)
            gate.set()
        assert await bench.rows() == {"a": 1}
    assert sorted(exits, key=str) == [Failed(Refusal("first")), Succeeded(1)]


async def test_an_unknown_commit_can_be_asked_again(bench: Bench) -> None:
    """No verdict is `CommitUnknown`; the same id then tells, without doing it twice."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("committed", CommitUndecided("notes", waited=timedelta(seconds=1)))
    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a")), command_id="c") == Failed(CommitUnknown("c"))
        assert await app.run_exit(keep(Keep("a")), command_id="c") == Succeeded(1)
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]


async def test_a_process_that_dies_before_commit_leaves_the_id_free(bench: Bench) -> None:
    """A claim is a row of the transaction: gone with it, on the reopened store as well."""
    notes = bench.context()
    keep = keeper(notes)
    bench.store.on("commit", RuntimeError("killed"))
    async with bench.running(notes) as app:
        await app.run_exit(keep(Keep("a")), command_id="c")
        assert await bench.rows() == {}
    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a")), command_id="c") == 1
        assert await bench.rows() == {"a": 1}


async def test_an_answer_survives_the_process(bench: Bench) -> None:
    """What was remembered is found by the next process on the same store."""
    notes = bench.context()
    keep = keeper(notes)
    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")), command_id="c")
    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a")), command_id="c") == 1
        assert bench.store.log == ["answer"]


async def test_an_id_for_a_program_of_several_commands_is_refused(bench: Bench) -> None:
    """An id names one command."""
    notes = bench.context()
    keep = keeper(notes)
    async with bench.running(notes) as app:
        with pytest.raises(CommandIdWithoutCommand):
            await app.run(keep(Keep("a")) >> keep(Keep("b")), command_id="c")


async def test_a_non_idempotent_call_before_the_claim_is_a_diagnostic(bench: Bench) -> None:
    """Each twin may make that call before they meet: the diagnostic names the operation and the user's line."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.post.set_flag("may happen twice")
        yield from rt.post.send("may not")
        yield from rt.notes.put(command.key, command.value)
        return 1

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")), command_id="c")
        await app.run(keep(Keep("b")))
    (diagnostic,) = bench.diagnostics
    assert (diagnostic.kind, diagnostic.command) == ("external-before-claim", "notes.keep")
    assert diagnostic.subject.startswith("Post.send: ")
    assert "test_idempotency.py:" in diagnostic.place


@given(asks=st.lists(st.tuples(st.sampled_from("cd"), st.sampled_from("ab"), st.integers(0, 2)), max_size=12))
async def test_any_history_of_repeats_agrees_with_a_dictionary(asks: list[tuple[str, str, int]]) -> None:
    """For any sequence of (id, key, value): the first success of an id is what it answers, or it is reused."""
    bench = Bench("memory", TroubledStore(MemoryStore()))
    notes = bench.context()
    keep = keeper(notes)
    first: dict[str, Keep] = {}
    rows: dict[str, int] = {}
    async with bench.running(notes) as app:
        for command_id, key, value in asks:
            command = Keep(key, value)
            if command_id not in first:
                first[command_id] = command
                rows[key] = value
            known = first[command_id] == command
            expected: object = Succeeded(value) if known else Failed(CommandIdReused(command_id))
            assert await app.run_exit(keep(command), command_id=command_id) == expected
        assert await bench.rows() == rows
