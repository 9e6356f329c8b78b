"""What one unit of work keeps together: rows, events, audit and answer, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from effect_runtime import Failed, Succeeded, fail, gather, publish, succeed
from effect_runtime.effect import Died
from effect_runtime.errors import OperationOutsideUnit, QueueClosed, RuntimeOutsideUnit, UnhandledFailure
from tests.dispatch.world import Bench, Keep, Missing, NoteKept, Other, Refusal, Writing, keeper

pytestmark = pytest.mark.anyio


async def test_a_success_commits_rows_events_and_audit_together(bench: Bench) -> None:
    """What a command wrote, published and who asked is there after it."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return command.value

    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a", 7))) == 7
        assert await bench.rows() == {"a": 7}
        assert await bench.audit() == [("keep", "anonymous", "succeeded")]
    assert [(one.type, one.key) for one in bench.published()] == [("notes.note-kept", "a")]


async def test_a_failure_leaves_nothing(bench: Bench) -> None:
    """A typed failure undoes rows and events, and no success is audited."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return (yield from fail(Refusal("no")))

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Refusal("no"))
        assert await bench.rows() == {}
        assert await bench.audit() == []
    assert bench.published() == []


async def test_a_defect_leaves_nothing(bench: Bench) -> None:
    """A bug after a write undoes it and reaches the caller as itself, with a note of the command."""
    notes = bench.context()
    bug = RuntimeError("bug")

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        raise bug

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Died(bug)
        with pytest.raises(RuntimeError) as caught:
            await app.run(keep(Keep("a")))
        assert await bench.rows() == {}
        assert await bench.audit() == []
    assert caught.value is bug
    assert bug.__notes__ == ["in notes.keep"]


async def test_run_raises_a_declared_failure(bench: Bench) -> None:
    """The door that returns values raises failures, which it keeps."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        return (yield from fail(Refusal("no")))

    async with bench.running(notes) as app:
        with pytest.raises(UnhandledFailure) as caught:
            await app.run(keep(Keep("a")))
    assert caught.value.error == Refusal("no")


async def test_the_transaction_opens_at_the_first_transactional_operation(bench: Bench) -> None:
    """What comes before it, local or external, holds nothing open."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.clock.now()
        yield from rt.post.set_flag("up")
        bench.store.log.append("body")
        yield from rt.notes.put(command.key, command.value)
        return command.value

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")), command_id="c")
    assert bench.store.log == ["answer", "unit", "body", "begin", "claim", "commit", "committed"]
    assert bench.diagnostics == []


async def test_a_command_without_operations_opens_its_transaction_for_the_commit(bench: Bench) -> None:
    """Its audit line and its answer are durable all the same."""
    notes = bench.context()

    @notes.command(access="public")
    def think(command: Keep) -> Writing[int]:
        yield from succeed(None)
        return 42

    async with bench.running(notes) as app:
        assert await app.run(think(Keep("a")), command_id="c") == 42
        assert await bench.audit() == [("think", "anonymous", "succeeded")]
        assert bench.store.log == ["answer", "unit", "begin", "claim", "commit", "committed"]
        assert await app.run(think(Keep("a")), command_id="c") == 42


async def test_a_failure_before_the_first_operation_never_opens_a_transaction(bench: Bench) -> None:
    """A command that is refused by its own rules costs the store nothing."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        return (yield from fail(Refusal("no")))

    async with bench.running(notes) as app:
        await app.run_exit(keep(Keep("a")))
    assert bench.store.log == ["unit"]


async def test_parallel_branches_share_the_transaction(bench: Bench) -> None:
    """Transactional operations of one unit queue on its lock, and see one another's rows."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[tuple[tuple[str, int], ...]]:
        rt = yield from notes.runtime
        yield from gather(*(rt.notes.put(f"{command.key}{number}", number) for number in range(5)))
        return (yield from rt.notes.all())

    async with bench.running(notes) as app:
        kept = await app.run(keep(Keep("k")))
    assert kept == (("k0", 0), ("k1", 1), ("k2", 2), ("k3", 3), ("k4", 4))
    assert bench.store.log.count("begin") == 1


async def test_a_runtime_used_after_its_unit_is_a_defect(bench: Bench) -> None:
    """What a handler smuggled out of its unit says so when it is used."""
    notes = bench.context()
    smuggled: list[Any] = []

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        smuggled.append(rt)

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")))
        (rt,) = smuggled
        with pytest.raises(QueueClosed):
            rt.outbox.add(NoteKept("a"))
        died = await app.run_exit(rt.notes.put("a", 1))
    assert isinstance(died, Died)
    assert isinstance(died.exception, OperationOutsideUnit)


async def test_a_program_outside_a_unit_has_no_runtime(bench: Bench) -> None:
    """Asking for services beside any command is a defect that names the service."""
    notes = bench.context()
    keeper(notes)

    def program() -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("a", 1)

    async with bench.running(notes) as app:
        died = await app.run_exit(notes.command(access="public")(_as_handler(program)).program(Keep("a")))
    assert isinstance(died, Died)
    assert isinstance(died.exception, RuntimeOutsideUnit)
    assert died.exception.attribute == "notes"


async def test_a_program_of_several_commands_gives_each_its_own_unit(bench: Bench) -> None:
    """Composed outside, commands commit one by one: the first stands when the second fails."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.command(access="public")
    def refuse(command: Other) -> Writing[int, Missing]:
        rt = yield from notes.runtime
        return (yield from rt.notes.get(command.key))

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a")) >> refuse(Other("b"))) == Failed(Missing("b"))
        assert await app.run_exit(keep(Keep("b", 2)) >> refuse(Other("b"))) == Succeeded(2)
        assert await bench.rows() == {"a": 1, "b": 2}


async def test_concurrent_commands_do_not_mix(bench: Bench) -> None:
    """Each of many concurrent commands counts from what the one before has committed."""
    notes = bench.context()

    @notes.command(access="public")
    def count(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        known = dict((yield from rt.notes.all()))
        yield from rt.clock.now()
        yield from rt.notes.put(command.key, known.get(command.key, 0) + 1)
        return known.get(command.key, 0) + 1

    async with bench.running(notes) as app:
        counts = await app.run(gather(*(count(Keep("a")) for _ in range(20))))
        assert sorted(counts) == list(range(1, 21))
        assert await bench.rows() == {"a": 20}


async def test_an_event_that_cannot_be_encoded_fails_the_command(bench: Bench) -> None:
    """A field that does not hold its type is found before the commit, not by a subscriber."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(key=3))  # type: ignore[arg-type]  # what a checker would refuse
        return 1

    async with bench.running(notes) as app:
        died = await app.run_exit(keep(Keep("a")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert "key" in str(died.exception)


def _as_handler(program: Any) -> Any:
    def handler(command: Keep) -> Writing[None]:
        yield from program()

    return handler
