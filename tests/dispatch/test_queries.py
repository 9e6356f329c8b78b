"""Queries: one snapshot, a runtime that cannot write, no unit of work."""

from __future__ import annotations

from typing import Any

import pytest

from effect_runtime import Failed, Forbidden, Invalid, Succeeded, gather
from effect_runtime.effect import Died
from effect_runtime.errors import UnitEnded, WriteInQuery
from tests.dispatch.world import All, Bench, Keep, Missing, NotesReads, Other, Reading, keeper

pytestmark = pytest.mark.anyio


async def test_a_query_reads_what_is_committed(bench: Bench) -> None:
    """It opens no unit of work and leaves no audit."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.query(access="public")
    def read(query: Other) -> Reading[int, Missing]:
        rt = yield from notes.reads
        return (yield from rt.notes.get(query.key))

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a", 4)))
        bench.store.log.clear()
        assert await app.run_exit(read(Other("a"))) == Succeeded(4)
        assert await app.run_exit(read(Other("b"))) == Failed(Missing("b"))
        assert bench.store.log == ["reading", "reading"]


async def test_a_query_inside_a_query_shares_the_snapshot(bench: Bench) -> None:
    """Nested queries use the read session that is open."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.query(access="internal")
    def read(query: Other) -> Reading[int, Missing]:
        rt = yield from notes.reads
        return (yield from rt.notes.get(query.key))

    @notes.query(access="public")
    def both(query: All) -> Reading[tuple[int, int], Missing | Invalid | Forbidden]:
        return (yield from read(Other("a")).zip(read(Other("b"))))

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a", 4)))
        await app.run(keep(Keep("b", 5)))
        bench.store.log.clear()
        assert await app.run_exit(both(All())) == Succeeded((4, 5))
        assert bench.store.log == ["reading"]


async def test_parallel_reads_of_one_query_see_one_snapshot(bench: Bench) -> None:
    """Branches share the session, one statement at a time."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.query(access="public")
    def thrice(query: All) -> Reading[tuple[int, int, int], Missing]:
        rt = yield from notes.reads
        return (yield from gather(rt.notes.get("a"), rt.notes.get("a"), rt.notes.get("a")))

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a", 4)))
        assert await app.run_exit(thrice(All())) == Succeeded((4, 4, 4))


async def test_a_command_inside_a_query_is_a_defect(bench: Bench) -> None:
    """Even when a type checker was not asked."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.query(access="public")
    def write(query: All) -> Reading[int]:
        yield from keep(Keep("a"))
        return 1

    async with bench.running(notes) as app:
        died = await app.run_exit(write(All()))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, WriteInQuery)


async def test_a_read_runtime_cannot_write(bench: Bench) -> None:
    """The session beneath refuses what an adapter should not have tried."""
    notes = bench.context()

    @notes.query(access="public")
    def write(query: All) -> Reading[int]:
        rt = yield from notes.reads
        yield from rt.notes.put("a", 1)
        return 1

    async with bench.running(notes) as app:
        died = await app.run_exit(write(All()))
        assert await bench.rows() == {}
    assert isinstance(died, Died)


async def test_a_read_runtime_used_after_its_query_is_a_defect(bench: Bench) -> None:
    """A smuggled session says that it has ended."""
    notes = bench.context()
    smuggled: list[Any] = []

    @notes.query(access="public")
    def smuggle(query: All) -> Reading[int]:
        rt: NotesReads = yield from notes.reads
        smuggled.append(rt)
        return 1

    async with bench.running(notes) as app:
        await app.run(smuggle(All()))
        (rt,) = smuggled
        operation = rt.notes.all()
        with pytest.raises(UnitEnded):
            await operation.function(*operation.call)
