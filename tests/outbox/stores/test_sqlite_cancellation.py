"""A cancelled caller: at every await the outcome is all or nothing, and a COMMIT under way is told first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from effect_runtime.dispatch import Ledger
from effect_runtime.errors import CommitUndecided
from effect_runtime.interpreter import system_host
from effect_runtime.outbox.sqlite import SqliteSession
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.test_sqlite_batches import write
from tests.outbox.stores.world import (
    NOTHING,
    AnyStore,
    an_answer,
    an_event,
    committed,
    no_commit_yet,
    publish,
    put,
    rows,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio


class CancelledAt:
    """Runs a coroutine and cancels its scope when it suspends for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], nth: int) -> None:
        self._coroutine = coroutine
        self._nth = nth
        self.suspended = 0

    def __await__(self) -> Generator[Any, Any, None]:
        with anyio.CancelScope() as scope:
            steps = self._coroutine.__await__()
            answer, error = None, None
            while True:
                try:
                    asked = steps.throw(error) if error is not None else steps.send(answer)
                except StopIteration:
                    return
                answer, error = None, None
                self.suspended += 1
                if self.suspended == self._nth:
                    scope.cancel()
                try:
                    answer = yield asked
                except BaseException as thrown:  # handed on to the coroutine, which decides
                    error = thrown


async def transfer(store: AnyStore) -> None:
    """Do one of everything in a unit."""
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
        await put(unit.session, "a", "1")
        savepoint = await unit.savepoint()
        await put(unit.session, "b", "1")
        await unit.release(savepoint)
        await checkpoint()
        await unit.commit(Ledger(answer=an_answer(), events=(an_event("e-1"),)))
        await checkpoint()


async def contended(store: AnyStore, program: Awaitable[None]) -> None:
    """Run a program while two others write, so that it waits for its turn and shares a batch."""

    async def other(name: str) -> None:
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, name, "1")
            await checkpoint()
            await unit.commit(NOTHING)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other, "other 1")
        await checkpoint()
        tasks.start_soon(other, "other 2")
        await program


@pytest.mark.parametrize("crowd", [False, True])
async def test_cancelled_at_every_await_a_unit_happens_wholly_or_not_at_all(
    store: AnyStore, tmp_path: Path, crowd: bool
) -> None:
    """Scenario 33: rows, events, answer together or none of them; the next unit works; nobody else is touched."""
    nth, reached = 1, True
    outcomes = set()
    while reached:
        run = CancelledAt(transfer(store), nth)
        await (contended(store, run) if crowd else run)
        seen = await committed(store)
        (event,) = await publish(store, an_event(f"after {nth}"))
        happened = "a" in seen
        assert (await store.answer("c-1") is not None, "b" in seen, event.sequence == 2) == (happened,) * 3
        assert ("other 1" in seen, "other 2" in seen) == (crowd, crowd)
        outcomes.add(happened)
        await forget(store)
        reached = run.suspended >= nth
        nth += 1
    assert outcomes == {False, True}


async def forget(store: AnyStore) -> None:
    """Undo the traces of one run."""
    async with store.unit() as unit:
        session = unit.session
        if isinstance(session, SqliteSession):
            for table in ("rows", "er_command", "er_sequence", "er_outbox"):
                await session.execute(f"DELETE FROM {table}")
        else:
            assert not isinstance(store, OpenSqlite)  # its sessions are its own
            database = store._database
            for each in (database.users("rows"), database.commands, database.sequences, database.events):
                each.clear()
        await unit.commit(NOTHING)


async def test_a_cancelled_commit_tells_its_verdict_first(sqlite: OpenSqlite) -> None:
    """UnitOfWork 4: cancelled, it still learns the verdict; the cancellation comes at the next checkpoint."""
    verdicts: list[object] = []

    async def command() -> None:
        async with sqlite.unit() as unit:
            await put(unit.session, "a", "1")
            verdicts.append(await unit.commit(Ledger(events=(an_event("e-1"),))))
        verdicts.append("told")
        await checkpoint()
        verdicts.append("not reached")

    async with anyio.create_task_group() as tasks:
        with no_commit_yet(sqlite):
            tasks.start_soon(command)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert verdicts == [(an_event("e-1").numbered(1),), "told"]
    assert await committed(sqlite) == {"a": "1"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_cancelled_by_asyncio_itself_is_told_the_verdict_first(sqlite: OpenSqlite) -> None:
    """UnitOfWork 4: `task.cancel()` knows no shield, and is not lost either."""
    verdicts: list[object] = []

    async def command() -> None:
        async with sqlite.unit() as unit:
            await put(unit.session, "a", "1")
            verdicts.append(await unit.commit(Ledger(events=(an_event("e-1"),))))
        verdicts.append("told")
        await asyncio.sleep(0)
        verdicts.append("not reached")

    with no_commit_yet(sqlite) as gate:
        task = asyncio.create_task(command())
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        assert verdicts == []
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert verdicts == [(an_event("e-1").numbered(1),), "told"]
    assert (await committed(sqlite), task.cancelling()) == ({"a": "1"}, 2)


async def test_a_cancelled_caller_without_a_verdict_hears_that_it_is_undecided(tmp_path: Path) -> None:
    """UnitOfWork 4: after the bound nobody claims to know; the commit itself goes on."""
    async with sqlite_store(tmp_path, verdict=timedelta(milliseconds=1)).opened(still_host()) as store:
        outcomes: list[str] = []

        async def command() -> None:
            try:
                await write(store, "a")
            except CommitUndecided as undecided:
                outcomes.append(str(undecided))

        async with anyio.create_task_group() as tasks:
            with no_commit_yet(store):
                async with anyio.create_task_group() as inner:
                    inner.start_soon(command)
                    await anyio.wait_all_tasks_blocked()
                    inner.cancel_scope.cancel()
                assert [text.split(" within ")[0] for text in outcomes] == [
                    f"Store {str(tmp_path / 'store.db')!r} gave no verdict on a commit"
                ]
            tasks.start_soon(write, store, "b")
        assert await committed(store) == {"a": "1", "b": "1"}


async def test_a_cancelled_reader_gives_its_connection_back(tmp_path: Path) -> None:
    """UnitStore.reading: bounded connections, none of them lost to a cancellation."""
    async with sqlite_store(tmp_path, readers=1).opened(still_host()) as store:
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                async with store.reading():
                    tasks.start_soon(committed, store)
                    await anyio.wait_all_tasks_blocked()
                    tasks.cancel_scope.cancel()
        async with store.reading() as session:
            assert await rows(session) == {}


async def test_a_cancelled_long_read_is_stopped_and_its_connection_is_used_again(tmp_path: Path) -> None:
    """UnitStore.reading: a query that would take hours does not hold up the cancellation of its caller."""
    for_ever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    async with sqlite_store(tmp_path, readers=1).opened(system_host()) as store:
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async with store.reading() as session:
                    await session.fetch_one(for_ever)

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert await committed(store) == {}
