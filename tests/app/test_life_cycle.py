"""Opening, running and closing an application, and what its doors say when it is not open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anyio import Event, create_task_group, fail_after
from attrs import frozen

from effect_runtime import App, Context, ReadTransaction, Succeeded, Transaction
from effect_runtime.errors import AppAlreadyRunning, AppNotRunning, ConfigurationError
from tests.app.pair import CountRuntime, Pair
from tests.dispatch.world import All, Bench, Keep, NotesReads, NotesRuntime, Reading, keeper

pytestmark = pytest.mark.anyio


@frozen
class AllOfMore:
    """Ask another context for all notes."""


async def test_the_doors_are_closed_before_and_after(pair: Pair) -> None:
    """A door of an application that does not run says how to run it."""
    app = pair.app()
    with pytest.raises(AppNotRunning):
        await app.run(pair.keep(Keep("a")))
    async with app.running():
        assert await app.run(pair.keep(Keep("a"))) == 1
    with pytest.raises(AppNotRunning):
        await app.run_exit(pair.keep(Keep("a")))


async def test_an_application_runs_once_at_a_time(pair: Pair) -> None:
    """A second `running` of the same value is refused; a later one is fine, with everything still there."""
    app = pair.app()
    async with app.running():
        await app.run(pair.keep(Keep("a", 3)))
        with pytest.raises(AppAlreadyRunning):
            async with app.running():
                pass
    async with app.running():
        assert await pair.publisher.rows() == {"a": 3}


async def test_an_application_that_is_being_opened_is_not_opened_again(pair: Pair) -> None:
    """Two tasks that start it in the same moment: one of them runs it."""
    app = pair.app()
    told: list[str] = []
    gate = Event()

    async def run() -> None:
        try:
            async with app.running():
                told.append("runs")
                await gate.wait()
        except AppAlreadyRunning:
            told.append("refused")
            gate.set()

    with fail_after(10):
        async with create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)
    assert sorted(told) == ["refused", "runs"]


async def test_stores_of_one_name_are_told_apart(pair: Pair) -> None:
    """What is wrong with one must not be hidden by what is well with the other."""
    binding = pair.counts.bind(pair.make, pair.reader.make_reads, store=pair.reader.store)
    pair.reader.store.name = name = pair.publisher.store.name
    app = pair.app_of(binding)
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        counts = app.counts()
        assert list(counts) == list(await app.health()) == [name, f"{name} of counts"]
        assert [each.relay.accepted + each.consumer.applied for each in counts.values()] == [1, 1]


async def test_resources_are_opened_once_and_closed_after_everything_else(bench: Bench) -> None:
    """`resources=` is entered before the first unit, handed to each runtime, and left before the store."""
    notes = bench.context()
    keep = keeper(notes)
    steps: list[str] = []

    @asynccontextmanager
    async def pool() -> AsyncIterator[str]:
        steps.append("opened")
        yield "the pool"
        steps.append("closed")

    @notes.query(access="public")
    def read(query: All) -> Reading[tuple[tuple[str, int], ...]]:
        rt = yield from notes.reads
        return (yield from rt.notes.all())

    def make(tx: Transaction[Any], opened: str) -> NotesRuntime:
        steps.append(opened)
        return bench.make(tx)

    def make_reads(tx: ReadTransaction[Any], opened: str) -> NotesReads:
        steps.append(f"{opened}, reading")
        return bench.make_reads(tx)

    binding = notes.bind(make, make_reads, store=bench.store, resources=pool)
    async with App("resources", contexts=[binding], transport=bench.recorded).running() as app:
        await app.run(keep(Keep("a")))
        assert await app.run_exit(read(All())) == Succeeded((("a", 1),))
    assert steps == ["opened", "the pool", "the pool, reading", "closed"]


async def test_read_runtimes_need_not_take_resources(bench: Bench) -> None:
    """`make_reads` is given what was opened only if it asks for it."""
    notes = bench.context()

    @asynccontextmanager
    async def pool() -> AsyncIterator[str]:
        yield "the pool"

    @notes.query(access="public")
    def read(query: All) -> Reading[tuple[tuple[str, int], ...]]:
        rt = yield from notes.reads
        return (yield from rt.notes.all())

    def make(tx: Transaction[Any], opened: str) -> NotesRuntime:
        return bench.make(tx)

    binding = notes.bind(make, bench.make_reads, store=bench.store, resources=pool)
    async with App("resources", contexts=[binding], transport=bench.recorded).running() as app:
        assert await app.run_exit(read(All())) == Succeeded(())


async def test_contexts_may_share_one_store(bench: Bench) -> None:
    """A store value that two contexts are bound to is opened once."""
    notes, more = bench.context(), Context("more", CountRuntime, reads=NotesReads)
    keep = keeper(notes)

    @more.query(access="public")
    def read(query: AllOfMore) -> Reading[tuple[tuple[str, int], ...]]:
        rt = yield from more.reads
        return (yield from rt.notes.all())

    bindings = [
        notes.bind(bench.make, bench.make_reads, store=bench.store),
        more.bind(lambda tx: CountRuntime(bench.notes(tx.session), tx.events), bench.make_reads, store=bench.store),
    ]
    async with App("shared", contexts=bindings, transport=bench.recorded).running() as app:
        await app.run(keep(Keep("a")))
        assert await app.run_exit(read(AllOfMore())) == Succeeded((("a", 1),))


async def test_running_reports_all_faults_before_anything_is_opened(bench: Bench) -> None:
    """A refused application has touched no store."""
    notes = bench.context()
    keeper(notes)
    keeper(notes)
    app = App("refused", contexts=[notes.bind(bench.make, bench.make_reads, store=bench.store)])
    with pytest.raises(ConfigurationError) as caught:
        async with app.running():
            pass
    assert caught.value.codes == ("ER106", "ER405")
    assert bench.store.open is None
