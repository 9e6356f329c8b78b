"""Group commit: which units share a COMMIT, and what each is told, and when."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from effect_runtime.dispatch import Ledger
from effect_runtime.effect import Raised
from effect_runtime.errors import TransactionLost
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import (
    NOTHING,
    an_event,
    committed,
    no_commit_yet,
    put,
    rows,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio


def watch(store: OpenSqlite) -> Callable[[], int]:
    """Return a function that counts the COMMITs of the writer connection from now on."""
    ran: list[str] = []
    store._writer.connection.set_trace_callback(ran.append)
    return lambda: ran.count("COMMIT")


async def write(store: OpenSqlite, key: str, *, alone: bool = False) -> None:
    """Write one row in a unit of its own."""
    async with store.unit(alone=alone) as unit:
        await unit.begin()
        await put(unit.session, key, "1")
        await unit.commit(NOTHING)


@asynccontextmanager
async def queued_behind_one(store: OpenSqlite) -> AsyncIterator[TaskGroup]:
    """Hold the turn while the block queues others behind it, then commit a row and wait for all."""
    async with anyio.create_task_group() as tasks, store.unit() as first:
        await first.begin()
        await put(first.session, "first", "1")
        yield tasks
        await anyio.wait_all_tasks_blocked()
        await first.commit(NOTHING)


async def test_units_that_wait_while_one_runs_share_its_commit(sqlite: OpenSqlite) -> None:
    """A batch is the unit that opened the transaction and those that were waiting when it had ended."""
    commits = watch(sqlite)
    async with queued_behind_one(sqlite) as tasks:
        for number in range(5):
            tasks.start_soon(write, sqlite, f"row {number}")
            await anyio.wait_all_tasks_blocked()
    assert (len(await committed(sqlite)), commits()) == (6, 1)


async def test_units_that_wait_while_one_is_made_durable_are_the_next_batch(sqlite: OpenSqlite) -> None:
    """A batch is what queued while the previous COMMIT ran."""
    commits = watch(sqlite)
    async with anyio.create_task_group() as tasks:
        with no_commit_yet(sqlite):
            for number in range(6):
                tasks.start_soon(write, sqlite, f"row {number}")
                await anyio.wait_all_tasks_blocked()
            assert await committed(sqlite) == {}
    assert (len(await committed(sqlite)), commits()) == (6, 2)


async def test_a_batch_is_bounded(tmp_path: Path) -> None:
    """No more units than `batch` share a COMMIT."""
    async with sqlite_store(tmp_path, batch=2).opened(still_host()) as store:
        commits = watch(store)
        async with queued_behind_one(store) as tasks:
            for number in range(4):
                tasks.start_soon(write, store, f"row {number}")
                await anyio.wait_all_tasks_blocked()
        assert (len(await committed(store)), commits()) == (5, 3)


async def test_a_unit_that_asks_for_it_is_committed_alone(sqlite: OpenSqlite) -> None:
    """UnitStore.unit: `alone` shares its transaction with no other unit."""
    commits = watch(sqlite)
    async with queued_behind_one(sqlite) as tasks:
        for number, alone in enumerate([False, True, False, False]):
            tasks.start_soon(partial(write, sqlite, f"row {number}", alone=alone))
            await anyio.wait_all_tasks_blocked()
    assert (len(await committed(sqlite)), commits()) == (5, 3)


async def test_one_unit_of_a_batch_may_fail_without_the_others(sqlite: OpenSqlite) -> None:
    """Each unit but the first runs between a savepoint and its release."""

    async def fail(key: str) -> None:
        with pytest.raises(KeyError):
            async with sqlite.unit() as unit:
                await unit.begin()
                await put(unit.session, key, "1")
                raise KeyError(key)

    commits = watch(sqlite)
    async with queued_behind_one(sqlite) as tasks:
        for number, step in enumerate([fail, lambda key: write(sqlite, key)] * 2):
            tasks.start_soon(step, f"row {number}")
            await anyio.wait_all_tasks_blocked()
    assert await committed(sqlite) == {"first": "1", "row 1": "1", "row 3": "1"}
    assert commits() == 1


async def test_the_first_unit_of_a_batch_may_fail_without_the_others(sqlite: OpenSqlite) -> None:
    """The others then begin a transaction of their own."""
    async with anyio.create_task_group() as tasks:
        async with sqlite.unit() as first:
            await first.begin()
            await put(first.session, "first", "1")
            for number in range(2):
                tasks.start_soon(write, sqlite, f"row {number}")
                await anyio.wait_all_tasks_blocked()
    assert await committed(sqlite) == {"row 0": "1", "row 1": "1"}


async def test_numbers_have_no_gap_where_a_unit_of_the_batch_failed(sqlite: OpenSqlite) -> None:
    """Numbers are taken inside the savepoint."""
    numbered: list[int | None] = []

    async def publish(id: str, fails: bool) -> None:
        with anyio.CancelScope() as scope:
            async with sqlite.unit() as unit:
                await unit.begin()
                await put(unit.session, id, "1")
                if fails:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
                (event,) = await unit.commit(Ledger(events=(an_event(id),)))
                numbered.append(event.sequence)

    async with queued_behind_one(sqlite) as tasks:
        for number in range(6):
            tasks.start_soon(publish, f"e-{number}", number % 2 == 1)
            await anyio.wait_all_tasks_blocked()
    assert sorted(number or 0 for number in numbered) == [1, 2, 3]


async def test_a_success_is_told_only_when_it_is_durable(sqlite: OpenSqlite) -> None:
    """UnitOfWork 4: `commit` returns only when everything is durable."""
    told: list[str] = []

    async def commit() -> None:
        await write(sqlite, "row")
        told.append("row")

    async with anyio.create_task_group() as tasks:
        with no_commit_yet(sqlite):
            tasks.start_soon(commit)
            await anyio.wait_all_tasks_blocked()
            assert told == []
    assert told == ["row"]


async def test_a_failure_that_was_read_from_the_batch_is_told_only_when_that_is_durable(sqlite: OpenSqlite) -> None:
    """UnitOfWork 6: also a unit that only read, and rolls back, waits for what it has read."""
    told: list[dict[str, str]] = []

    async def refuse() -> None:
        async with sqlite.unit() as unit:
            await unit.begin()
            seen = await rows(unit.session)
            await unit.rollback()
            told.append(seen)

    go = anyio.Event()

    async def lead() -> None:
        async with sqlite.unit() as first:
            await put(first.session, "first", "1")
            await go.wait()
            await first.commit(NOTHING)

    async with anyio.create_task_group() as tasks:
        with no_commit_yet(sqlite):
            for step in (lead, refuse):
                tasks.start_soon(step)
                await anyio.wait_all_tasks_blocked()
            go.set()
            await anyio.wait_all_tasks_blocked()
            assert told == []
    assert told == [{"first": "1"}]


async def test_a_failure_that_read_nothing_of_others_is_told_at_once(sqlite: OpenSqlite) -> None:
    """UnitOfWork 6: who has seen only durable rows need not wait."""
    with no_commit_yet(sqlite):
        async with sqlite.unit() as unit:
            await unit.begin()
            await put(unit.session, "a", "1")
            await unit.rollback()
            assert not unit.is_open


async def test_an_answer_from_rows_that_were_lost_is_never_given(sqlite: OpenSqlite) -> None:
    """Bug 19: a unit that answered from a batch whose COMMIT fails is told to run again instead."""
    answers: list[object] = []

    async def answer() -> None:
        try:
            async with sqlite.unit() as unit:
                await unit.begin()
                answers.append(await rows(unit.session))
                raise KeyError("an answer that was read from the batch")
        except (KeyError, TransactionLost) as error:
            answers.append(type(error))

    await make_commits_fail(sqlite)
    async with anyio.create_task_group() as tasks:
        async with sqlite.unit() as culprit:
            await culprit.begin()
            await put(culprit.session, "ghost", "1")
            await culprit.session.execute("INSERT INTO child VALUES (1)")
            tasks.start_soon(answer)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(TransactionLost):
                await culprit.commit(NOTHING)
    assert answers == [{"ghost": "1"}, TransactionLost]
    assert await committed(sqlite) == {}


async def test_a_typed_failure_from_rows_that_were_lost_is_never_given(sqlite: OpenSqlite) -> None:
    """UnitOfWork 6: a declared failure is no `Exception`, and yet an answer that somebody is told."""
    answers: list[object] = []

    async def answer() -> None:
        try:
            async with sqlite.unit() as unit:
                await unit.begin()
                answers.append(await rows(unit.session))
                raise Raised("a failure that was read from the batch")
        except (Raised, TransactionLost) as error:
            answers.append(type(error))

    await make_commits_fail(sqlite)
    async with anyio.create_task_group() as tasks:
        async with sqlite.unit() as culprit:
            await culprit.begin()
            await put(culprit.session, "ghost", "1")
            await culprit.session.execute("INSERT INTO child VALUES (1)")
            tasks.start_soon(answer)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(TransactionLost):
                await culprit.commit(NOTHING)
    assert answers == [{"ghost": "1"}, TransactionLost]


async def make_commits_fail(store: OpenSqlite) -> None:
    """Make a table whose rows are judged at COMMIT, by a key that nobody has."""
    async with store.unit() as unit:
        await unit.session.execute("CREATE TABLE parent(id INTEGER PRIMARY KEY) STRICT")
        await unit.session.execute(
            "CREATE TABLE child(parent INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED) STRICT"
        )
        await unit.commit(NOTHING)


async def test_a_failed_commit_sends_every_member_back_alone(sqlite: OpenSqlite) -> None:
    """UnitOfWork 5: nothing was written; alone, the innocent succeed and the culprit hears its own error."""
    await make_commits_fail(sqlite)
    outcomes: dict[str, list[str]] = {}

    async def member(name: str, statement: str) -> None:
        for alone in (False, True):
            try:
                async with sqlite.unit(alone=alone) as unit:
                    await put(unit.session, name, "1")
                    await unit.session.execute(statement)
                    await unit.commit(NOTHING)
            except (TransactionLost, sqlite3.IntegrityError) as error:
                outcomes.setdefault(name, []).append(type(error).__name__)
            else:
                outcomes.setdefault(name, []).append("committed")
                return

    async with anyio.create_task_group() as tasks, sqlite.unit() as first:
        await first.begin()
        tasks.start_soon(member, "one", "SELECT 1")
        tasks.start_soon(member, "culprit", "INSERT INTO child VALUES (1)")
        tasks.start_soon(member, "two", "SELECT 1")
        await anyio.wait_all_tasks_blocked()
        await first.rollback()
    assert outcomes == {
        "one": ["TransactionLost", "committed"],
        "culprit": ["TransactionLost", "IntegrityError"],
        "two": ["TransactionLost", "committed"],
    }
    assert await committed(sqlite) == {"one": "1", "two": "1"}
