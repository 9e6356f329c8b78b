"""Migrations: versioned, repeatable, shown before they run; and what is left of the log when a store is closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime.errors import MigrationChanged, MigrationFailed, MigrationsPending
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from tests.outbox.stores.world import NOTHING, ROWS, committed, sqlite_store, still_host

pytestmark = pytest.mark.anyio

COLOURS = Migration(2, "colours", ["ALTER TABLE rows ADD COLUMN colour TEXT", "CREATE INDEX colours ON rows(colour)"])


async def opened(store: SqliteStore) -> None:
    """Open a store and close it again."""
    async with store.opened(still_host()):
        pass


def names(store: SqliteStore) -> list[str]:
    """Return what is pending."""
    return [str(migration) for migration in store.pending()]


async def test_pending_migrations_are_shown_before_they_run_and_run_once(tmp_path: Path) -> None:
    """Design: versioned, repeatable, shown before they run; ours first, then the user's in their order."""
    store = SqliteStore(tmp_path / "a.db", migrations=[COLOURS, ROWS])
    names_of_ours = ("units of work", "outbox", "inbox and dead letters", "agenda", "recorded operations", "retention")
    ours = [f"effect_runtime {version} {name}" for version, name in enumerate(names_of_ours, 1)]
    assert names(store) == [*ours, "application 1 rows", "application 2 colours"]
    assert not (tmp_path / "a.db").exists()
    await opened(store)
    assert names(store) == []
    await opened(store)


async def test_a_new_migration_runs_on_an_old_file(tmp_path: Path) -> None:
    """Design: only what is missing runs, and rows stay."""
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS]))
    store = SqliteStore(tmp_path / "a.db", migrations=[ROWS, COLOURS])
    assert names(store) == ["application 2 colours"]
    async with store.opened(still_host()) as open_store, open_store.unit() as unit:
        await unit.session.execute("INSERT INTO rows VALUES ('a', '1', 'red')")
        await unit.commit(NOTHING)


async def test_an_edited_migration_is_refused(tmp_path: Path) -> None:
    """Migration: a step that has run must not be edited; how it is laid out does not count."""
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS]))
    laid_out = evolve(ROWS, statements=[ROWS.statements[0].replace(" ", "\n    ")])
    edited = evolve(ROWS, statements=[ROWS.statements[0].replace("NOT NULL", "")])
    with pytest.raises(MigrationChanged, match="Migration 1 'rows' of 'application' was changed"):
        await opened(SqliteStore(tmp_path / "a.db", migrations=[edited]))
    with pytest.raises(MigrationChanged):
        SqliteStore(tmp_path / "a.db", migrations=[edited]).pending()
    assert names(SqliteStore(tmp_path / "a.db", migrations=[laid_out])) == []


async def test_a_failing_migration_leaves_nothing_and_those_before_it_stand(tmp_path: Path) -> None:
    """Migration: statements run together or not at all."""
    broken = Migration(2, "broken", ["CREATE TABLE half(a TEXT) STRICT", "CREATE TABLE half(a TEXT) STRICT"])
    with pytest.raises(MigrationFailed, match="half already exists"):
        await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS, broken]))
    repaired = Migration(2, "repaired", broken.statements[:1])
    store = SqliteStore(tmp_path / "a.db", migrations=[ROWS, repaired])
    assert names(store) == ["application 2 repaired"]
    await opened(store)


async def test_a_store_that_may_not_migrate_says_what_is_missing(tmp_path: Path) -> None:
    """Design: migrations run when they are asked to."""
    await opened(SqliteStore(tmp_path / "a.db"))
    with pytest.raises(MigrationsPending, match="lacks 1 migrations: application 1 rows"):
        await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS], migrate=False))
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS]))
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS], migrate=False))


async def test_a_newer_file_is_taken_as_it_is(tmp_path: Path) -> None:
    """Scenario 41: old and new code may run on one file while it is rolled out."""
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS, COLOURS]))
    await opened(SqliteStore(tmp_path / "a.db", migrations=[ROWS]))


async def test_closing_empties_the_log(tmp_path: Path) -> None:
    """Reliability 3.6: TRUNCATE at the end, so that the file alone is the store."""
    async with sqlite_store(tmp_path).opened(still_host()) as store, store.unit() as unit:
        await unit.session.execute("INSERT INTO rows VALUES ('a', '1')")
        await unit.commit(NOTHING)
    log = tmp_path / "store.db-wal"
    assert not log.exists() or log.stat().st_size == 0
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "store.db").read_bytes())
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT key FROM rows").fetchall() == [("a",)]
    connection.close()


async def test_the_log_is_bounded_under_steady_writing(tmp_path: Path) -> None:
    """Reliability 3.6: checkpoints are off the commit path and still keep up."""
    async with sqlite_store(tmp_path, checkpoint_after=50).opened(still_host()) as store:
        for number in range(200):
            async with store.unit() as unit:
                many = [(f"{number}-{row}", "x" * 1_000) for row in range(50)]
                await unit.session.execute_many("INSERT INTO rows VALUES (?, ?)", many)
                await unit.commit(NOTHING)
        assert len(await committed(store)) == 10_000
        written = 200 * 50 * 1_000
        assert (tmp_path / "store.db-wal").stat().st_size < written / 2


async def test_without_threads_the_log_is_bounded_too(tmp_path: Path) -> None:
    """`commits="inline"` starts no thread: SQLite's own checkpoints keep the log short."""
    async with sqlite_store(tmp_path, checkpoint_after=50, commits="inline").opened(still_host()) as store:
        for number in range(50):
            async with store.unit() as unit:
                many = [(f"{number}-{row}", "x" * 1_000) for row in range(50)]
                await unit.session.execute_many("INSERT INTO rows VALUES (?, ?)", many)
                await unit.commit(NOTHING)
        assert (tmp_path / "store.db-wal").stat().st_size < 50 * 50 * 1_000 / 2
