"""What the file does to a store: full disks, lost transactions, garbage, and files that promise nothing."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest

from effect_runtime.errors import (
    ConfigurationError,
    StatementRefused,
    StoreClosed,
    StoreConflict,
    StoreDown,
    StoreUnsafe,
    TransactionLost,
)
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.outbox.sqlite._connection import require_version
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.test_sqlite_batches import write
from tests.outbox.stores.world import (
    CATALOG,
    NOTHING,
    ManualTime,
    an_audit,
    an_event,
    committed,
    publish,
    put,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio

MUCH = "x" * 400_000


def limit_pages(store: OpenSqlite, more: int) -> None:
    """Let the file grow by so many pages and no further, as a full disk would."""
    connection = store._writer.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + more}").fetchone()


async def test_a_full_disk_loses_the_transaction_for_every_member_and_nothing_else(sqlite: OpenSqlite) -> None:
    """Scenario 34: SQLITE_FULL undoes the batch; the innocent run again alone, the culprit is told that it is full."""
    limit_pages(sqlite, 10)
    outcomes: list[tuple[str, str]] = []

    async def member(name: str, value: str) -> None:
        for alone in (False, True):
            try:
                async with sqlite.unit(alone=alone) as unit:
                    await put(unit.session, name, value)
                    await unit.commit(NOTHING)
            except (TransactionLost, StoreDown) as error:
                outcomes.append((name, type(error).__name__))
            else:
                outcomes.append((name, "committed"))
                return

    async with anyio.create_task_group() as tasks:
        async with sqlite.unit() as holder:
            await holder.begin()
            for name, value in (("small", "1"), ("large", MUCH), ("late", "1")):
                tasks.start_soon(member, name, value)
                await anyio.wait_all_tasks_blocked()
    assert sorted(outcomes) == [
        ("large", "StoreDown"),
        ("large", "TransactionLost"),
        ("late", "committed"),
        ("small", "TransactionLost"),
        ("small", "committed"),
    ]
    assert await committed(sqlite) == {"small": "1", "late": "1"}
    limit_pages(sqlite, 1_000)
    await write(sqlite, "after")
    assert sorted(await committed(sqlite)) == ["after", "late", "small"]


async def test_nothing_reaches_the_file_after_the_transaction_was_lost(sqlite: OpenSqlite) -> None:
    """UnitOfWork 5: a statement that followed would commit by itself; it is refused instead."""
    limit_pages(sqlite, 10)
    async with sqlite.unit() as unit:
        await unit.begin()
        with pytest.raises(TransactionLost):
            await put(unit.session, "large", MUCH)
        with pytest.raises(TransactionLost):
            await put(unit.session, "stray", "1")
        with pytest.raises(TransactionLost):
            await unit.savepoint()
        with pytest.raises(TransactionLost):
            await unit.commit(NOTHING)
    assert await committed(sqlite) == {}


async def test_a_statement_that_rolls_back_everything_is_a_lost_transaction(sqlite: OpenSqlite) -> None:
    """OR ROLLBACK ends the whole batch: its unit is told so, and alone that it is its own fault."""
    await write(sqlite, "a")
    for alone, kind in ((False, TransactionLost), (True, sqlite3.IntegrityError)):
        with pytest.raises(kind):
            async with sqlite.unit(alone=alone) as unit:
                await put(unit.session, "b", "1")
                await unit.session.execute("INSERT OR ROLLBACK INTO rows VALUES ('a', '2')")
    assert await committed(sqlite) == {"a": "1"}


async def test_a_step_of_the_store_itself_is_made_again_alone(sqlite: OpenSqlite) -> None:
    """RelayStore: a relay never hears of a batch that was lost to another's trouble."""
    await sqlite.register([CATALOG])
    limit_pages(sqlite, 40)

    async def too_much() -> None:
        with pytest.raises(TransactionLost):
            async with sqlite.unit() as unit:
                await put(unit.session, "large", MUCH)

    async with anyio.create_task_group() as tasks:
        async with sqlite.unit() as holder:
            await holder.begin()
            tasks.start_soon(sqlite.audit, an_audit())
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(too_much)
            await anyio.wait_all_tasks_blocked()
    assert await sqlite.audit_trail() == (an_audit(),)


async def test_a_constraint_fails_its_statement_only(sqlite: OpenSqlite) -> None:
    """SqliteSession: the driver's own exception, and the unit as it was before that statement."""
    async with sqlite.unit() as unit:
        await put(unit.session, "a", "1")
        with pytest.raises(sqlite3.IntegrityError):
            await unit.session.execute("INSERT INTO rows VALUES ('b', '1'), ('a', '2')")
        await put(unit.session, "c", "1")
        await unit.commit(NOTHING)
    assert await committed(sqlite) == {"a": "1", "c": "1"}


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        "begin immediate",
        "  -- a note\n ROLLBACK",
        "/* a note */ SAVEPOINT mine",
        ";RELEASE er_1",
        "end transaction",
        "PRAGMA synchronous = OFF",
        "ATTACH 'other.db' AS other",
        "VACUUM",
    ],
)
async def test_a_statement_that_would_end_the_transaction_is_refused(sqlite: OpenSqlite, statement: str) -> None:
    """SqliteSession: the unit owns its transaction and its connection."""
    async with sqlite.unit() as unit:
        await put(unit.session, "a", "1")
        with pytest.raises(StatementRefused):
            await unit.session.execute(statement)
        await unit.commit(NOTHING)
    assert await committed(sqlite) == {"a": "1"}


async def test_a_read_session_cannot_write(sqlite: OpenSqlite) -> None:
    """UnitStore.reading: refused by the connection itself."""
    async with sqlite.reading() as session:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await session.fetch_all("DELETE FROM rows RETURNING key")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Store.opened: what is wrong with the file is told, with its name."""
    path = tmp_path / "garbage.db"
    path.write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(StoreDown, match=r"garbage\.db.*not a database"):
        async with SqliteStore(path).opened(still_host()):
            pass


@pytest.mark.parametrize(("emptied", "reason"), [(False, "unable to open"), (True, "cannot be read.*no such table")])
async def test_a_snapshot_of_a_file_that_is_gone_is_trouble_of_the_store(
    tmp_path: Path, emptied: bool, reason: str
) -> None:
    """UnitStore.reading: a query is told that the store is down, as a command is, and not of one of our tables."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with sqlite_store(folder).opened(still_host()) as store:
        folder.rename(tmp_path / "kept")
        if emptied:
            folder.mkdir()
        with pytest.raises(StoreDown, match=reason):
            async with store.reading():
                pass
        shutil.rmtree(folder, ignore_errors=True)
        (tmp_path / "kept").rename(folder)
        assert await committed(store) == {}


async def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """Store.opened: nothing is created beside the place that was meant."""
    with pytest.raises(StoreDown, match="unable to open"):
        async with SqliteStore(tmp_path / "missing" / "a.db").opened(still_host()):
            pass


async def test_a_database_in_memory_is_refused() -> None:
    """Store.opened: what cannot be durable is not called so."""
    with pytest.raises(StoreUnsafe, match="journal_mode = WAL and has memory"):
        async with SqliteStore(":memory:").opened(still_host()):
            pass


def test_an_old_library_is_refused_with_a_code() -> None:
    """ER404: STRICT tables need 3.37."""
    with pytest.raises(ConfigurationError, match=r"3\.36\.0 is loaded and 3\.37\.0") as refusal:
        require_version((3, 36, 0))
    assert refusal.value.codes == ("ER404",)
    require_version((3, 37, 0))


async def test_every_table_is_strict_and_every_setting_durable(sqlite: OpenSqlite) -> None:
    """What durability depends on is set on the writer, and every table of ours refuses wrong types."""
    connection = sqlite._writer.connection
    settings = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout")
    ]
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name LIKE 'er\\_%' ESCAPE '\\'"
        " AND NOT strict"
    ).fetchall()
    assert (settings, loose) == (["wal", 2, 1, 0, 0], [])


async def test_another_process_that_holds_the_file_for_too_long_is_a_conflict(
    sqlite: OpenSqlite, tmp_path: Path, time: ManualTime
) -> None:
    """UnitOfWork 5: busy is waited for on the host's clock, and only then told."""
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = time.monotonic()
    with pytest.raises(StoreConflict, match="held its write lock"):
        await write(sqlite, "a")
    assert time.monotonic() - before >= 30
    other.execute("ROLLBACK")
    other.close()
    await write(sqlite, "b")
    assert await committed(sqlite) == {"b": "1"}


async def test_a_closed_store_is_refused(tmp_path: Path) -> None:
    """Store.opened: nothing of a store works after its block."""
    async with SqliteStore(tmp_path / "store.db").opened(still_host()) as store:
        pass
    with pytest.raises(StoreClosed):
        await publish(store, an_event("e-1"))
    with pytest.raises(StoreClosed):
        await store.answer("c-1")


async def test_units_that_wait_for_a_store_that_closes_are_refused(tmp_path: Path) -> None:
    """The one that has its turn ends as ever; the others would begin on a file that nobody holds open any more."""
    told: list[object] = []
    begun, go = anyio.Event(), anyio.Event()

    async def write(store: OpenSqlite, key: str, *, gate: anyio.Event | None = None) -> None:
        try:
            async with store.unit(alone=True) as unit:
                await put(unit.session, key, "1")
                if gate is not None:
                    begun.set()
                    await gate.wait()
                await unit.commit(NOTHING)
            told.append(key)
        except StoreClosed as error:
            told.append(type(error))

    async def release() -> None:
        await anyio.wait_all_tasks_blocked()
        go.set()

    async with anyio.create_task_group() as tasks:
        async with sqlite_store(tmp_path).opened(still_host()) as store:
            tasks.start_soon(partial(write, store, "first", gate=go))
            await begun.wait()
            for key in ("second", "third"):
                tasks.start_soon(write, store, key)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(release)
    assert (told.count("first"), told.count(StoreClosed), len(told)) == (1, 2, 3)
    async with sqlite_store(tmp_path).opened(still_host()) as store:
        assert await committed(store) == {"first": "1"}


async def test_a_unit_without_end_is_given_up_when_its_store_closes(tmp_path: Path) -> None:
    """Closing waits for as long as for a verdict; what the unit does afterwards is told that nothing was kept."""
    begun, closed = anyio.Event(), anyio.Event()
    told: list[type[Exception]] = []

    async def linger(store: OpenSqlite) -> None:
        try:
            async with store.unit() as unit:
                await put(unit.session, "first", "1")
                begun.set()
                await closed.wait()
                await put(unit.session, "second", "1")
        except TransactionLost as error:
            told.append(type(error))

    async with anyio.create_task_group() as tasks:
        async with sqlite_store(tmp_path, verdict=timedelta(milliseconds=20)).opened(still_host()) as store:
            tasks.start_soon(linger, store)
            await begun.wait()
        closed.set()
    assert told == [TransactionLost]
    async with sqlite_store(tmp_path).opened(still_host()) as store:
        assert await committed(store) == {}


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
async def test_a_file_that_is_gone_takes_no_commit(tmp_path: Path, replaced: bool) -> None:
    """SQLite would go on in the unlinked file and lose it all; the unit is told, and the old file has what it had."""
    described = sqlite_store(tmp_path)
    path = Path(described.name)
    async with described.opened(still_host()) as store:
        await write(store, "kept")
        kept = path.with_suffix(".kept")
        path.rename(kept)
        if replaced:
            path.touch()
        with pytest.raises(TransactionLost, match="deleted or replaced"):
            await write(store, "lost")
        with pytest.raises(StoreDown, match="deleted or replaced"):
            async with store.unit(alone=True) as unit:
                await put(unit.session, "a", "1")
                await unit.commit(NOTHING)
        path.unlink(missing_ok=True)
        kept.rename(path)
        await write(store, "after")
        assert await committed(store) == {"kept": "1", "after": "1"}
