"""Nested commands and `atomic`: steps of one unit that are undone by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from effect_runtime import Failed, Forbidden, Invalid, Succeeded, atomic, attempt, emit, fail, gather, publish, recover
from effect_runtime.effect import Died, exit_of, succeed, timeout
from effect_runtime.errors import AtomicOutsideUnit, ForeignCall, RollbackFailed, SavepointInBranch
from tests.dispatch.world import All, Bench, Keep, KeptOccurred, NoteKept, Other, Reading, Refusal, Writing, keeper

pytestmark = pytest.mark.anyio


async def test_a_failed_nested_command_is_undone_and_the_outer_goes_on(bench: Bench) -> None:
    """Its rows, domain events and integration events are cut back; those around it stay."""
    notes = bench.context()
    handled: list[str] = []

    @notes.command(access="public")
    def inner(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        yield from emit(KeptOccurred(command.key))
        return (yield from fail(Refusal("inner")))

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("before", 1)
        yield from publish(NoteKept("before"))
        yield from attempt(inner(Keep(command.key)))
        yield from rt.notes.put("after", 2)
        yield from emit(KeptOccurred("after"))
        return 3

    @notes.on(KeptOccurred)
    def hear(event: KeptOccurred) -> Writing[None, Refusal]:
        handled.append(event.key)
        yield from succeed(None)

    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("inner"))) == Succeeded(3)
        assert await bench.rows() == {"before": 1, "after": 2}
        assert await bench.audit() == [("outer", "anonymous", "succeeded")]
    assert [one.key for one in bench.published()] == ["before"]
    assert handled == ["after"]


async def test_a_nested_command_shares_the_transaction(bench: Bench) -> None:
    """It sees what the outer wrote, and is undone with it."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Keep) -> Writing[tuple[tuple[str, int], ...]]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return (yield from rt.notes.all())

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Refusal | Invalid | Forbidden]:
        rt = yield from notes.runtime
        yield from rt.notes.put("outer", 1)
        assert (yield from inner(Keep("inner"))) == (("inner", 1), ("outer", 1))
        return (yield from fail(Refusal("late")))

    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("x"))) == Failed(Refusal("late"))
        assert await bench.rows() == {}
        assert bench.store.log == ["unit", "begin", "savepoint", "release"]


async def test_a_nested_command_that_never_writes_costs_no_savepoint(bench: Bench) -> None:
    """Savepoints are taken at the first transactional operation inside them."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Keep) -> Writing[int]:
        yield from succeed(None)
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Invalid | Forbidden]:
        rt = yield from notes.runtime
        yield from rt.notes.put("outer", 1)
        return (yield from inner(Keep("inner")))

    async with bench.running(notes) as app:
        await app.run(outer(Other("x")))
    assert bench.store.log == ["unit", "begin", "commit", "committed"]


async def test_savepoints_nest(bench: Bench) -> None:
    """Each level is undone by itself, also when the transaction opens in the innermost."""
    notes = bench.context()

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        innermost = rt.notes.put("c", 3) >> fail(Refusal("c"))
        middle = attempt(atomic(innermost)) >> rt.notes.put("b", 2)
        failing = atomic(middle >> rt.notes.put("d", 4) >> fail(Refusal("d")))
        yield from attempt(failing)
        yield from atomic(middle)
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("x"))) == Succeeded(1)
        assert await bench.rows() == {"b": 2}
        assert await bench.audit() == [("outer", "anonymous", "succeeded")]


async def test_plain_attempt_undoes_nothing(bench: Bench) -> None:
    """Only nested commands and `atomic` are savepoints; the combinators say so."""
    notes = bench.context()

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from attempt(rt.notes.put("plain", 1) >> fail(Refusal("no")))
        yield from recover(atomic(rt.notes.put("atomic", 1) >> fail(Refusal("no"))), lambda _: succeed(None))
        return 1

    async with bench.running(notes) as app:
        await app.run(outer(Other("x")))
        assert await bench.rows() == {"plain": 1}


async def test_a_defect_in_a_savepoint_undoes_it(bench: Bench) -> None:
    """A bug that the outer handles as an exit leaves nothing of the inner."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        raise RuntimeError("bug")

    @notes.command(access="public")
    def outer(command: Other) -> Writing[bool]:
        exit = yield from exit_of(inner(Keep("inner")))
        rt = yield from notes.runtime
        yield from rt.notes.put("outer", 1)
        return isinstance(exit, Died)

    async with bench.running(notes) as app:
        assert await app.run(outer(Other("x"))) is True
        assert await bench.rows() == {"outer": 1}


async def test_a_savepoint_that_is_cancelled_by_a_timeout_is_undone(bench: Bench) -> None:
    """The outer goes on after the timeout, without the rows of the step that took too long."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        yield from rt.clock.sleep(timedelta(days=1))
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from attempt(timeout(inner(Keep("inner")), timedelta(milliseconds=20)))
        yield from rt.notes.put("outer", 1)
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("x"))) == Succeeded(1)
        assert await bench.rows() == {"outer": 1}
    assert bench.published() == []


async def test_a_nested_command_in_a_parallel_branch_is_refused(bench: Bench) -> None:
    """A rollback there would undo what other branches did."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.command(access="public")
    def outer(command: Other) -> Writing[None, Invalid | Forbidden]:
        yield from gather(keep(Keep("a")), succeed(1))

    async with bench.running(notes) as app:
        died = await app.run_exit(outer(Other("x")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, SavepointInBranch)


async def test_atomic_in_a_parallel_branch_is_refused(bench: Bench) -> None:
    """The same holds for a block."""
    notes = bench.context()

    @notes.command(access="public")
    def outer(command: Other) -> Writing[None]:
        rt = yield from notes.runtime
        yield from gather(atomic(rt.notes.put("a", 1)), succeed(1))

    async with bench.running(notes) as app:
        died = await app.run_exit(outer(Other("x")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, SavepointInBranch)


async def test_parallel_operations_inside_a_savepoint_are_undone_with_it(bench: Bench) -> None:
    """Branches may write inside `atomic`; the step is undone as a whole."""
    notes = bench.context()

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        step = gather(rt.notes.put("a", 1), rt.notes.put("b", 2)) >> fail(Refusal("no"))
        yield from attempt(atomic(step))
        yield from rt.notes.put("c", 3)
        return 1

    async with bench.running(notes) as app:
        await app.run(outer(Other("x")))
        assert await bench.rows() == {"c": 3}


async def test_atomic_outside_a_unit_is_a_defect(bench: Bench) -> None:
    """There is nothing that it could undo."""
    notes = bench.context()
    keep = keeper(notes)
    async with bench.running(notes) as app:
        died = await app.run_exit(atomic(keep(Keep("a"))))
    assert isinstance(died, Died)
    assert isinstance(died.exception, AtomicOutsideUnit)


async def test_a_query_inside_a_command_is_a_defect(bench: Bench) -> None:
    """A query has a runtime of its own, which sees another snapshot."""
    notes = bench.context()

    @notes.query(access="public")
    def read(query: All) -> Reading[int]:
        yield from notes.reads
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Invalid | Forbidden]:
        return (yield from read(All()))  # type: ignore[misc]  # what the checkers refuse

    async with bench.running(notes) as app:
        died = await app.run_exit(outer(Other("x")))
    assert isinstance(died, Died)
    assert isinstance(died.exception, ForeignCall)


async def test_a_savepoint_that_cannot_be_undone_ends_the_whole_unit(bench: Bench) -> None:
    """When the store fails to roll back a step, nothing of the unit is kept, whatever the program makes of it."""
    notes = bench.context()
    bench.store.on("rollback_to", RuntimeError("disk on fire"))

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put("outer", 1)
        yield from exit_of(atomic(rt.notes.put("inner", 1) >> fail(Refusal("no"))))
        yield from rt.notes.put("after", 1)
        return 1

    async with bench.running(notes) as app:
        died = await app.run_exit(outer(Other("x")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, RollbackFailed)


async def test_refusals_of_nested_commands_are_audited(bench: Bench) -> None:
    """A nested refusal that the outer handles is on record, beside the outer's success."""
    notes = bench.context()

    @notes.command(access=lambda principal, command: False)
    def inner(command: Keep) -> Writing[int]:
        yield from succeed(None)
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        yield from attempt(inner(Keep("a")))
        return 2

    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("x"))) == Succeeded(2)
        assert sorted(await bench.audit()) == [
            ("inner", "anonymous", "forbidden: anonymous may not use notes.inner."),
            ("outer", "anonymous", "succeeded"),
        ]
