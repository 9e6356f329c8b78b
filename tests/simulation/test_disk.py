"""A disk in memory behaves towards a store as a file in WAL mode does, and forgets what was not committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from effect_runtime.testing._disk import Disk, Drive

PATH = Path("x.db")


@pytest.fixture
def disk() -> Disk:
    """A disk with one table of one row."""
    disk = Disk("x.db")
    connection = disk.drive().connect(PATH)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER)")
    connection.execute("INSERT INTO t VALUES ('a', 1)")
    connection.execute("COMMIT")
    connection.close()
    return disk


@pytest.fixture
def drive(disk: Disk) -> Iterator[Drive]:
    """The disk as one process uses it."""
    drive = disk.drive()
    yield drive
    drive.crash()


def _rows(disk: Disk) -> list[tuple[object, ...]]:
    return disk.query("SELECT k, v FROM t ORDER BY k")


def test_nobody_sees_what_is_not_committed(disk: Disk, drive: Drive) -> None:
    """Neither another connection, nor whoever looks from outside; the writer sees its own."""
    writer, reader = drive.connect(PATH), drive.connect(PATH)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES ('b', 2)")
    assert [tuple(row) for row in reader.execute("SELECT k FROM t").fetchall()] == [("a",)]
    assert _rows(disk) == [("a", 1)]
    assert writer.execute("SELECT count(*) FROM t").fetchone()[0] == 2
    writer.execute("COMMIT")
    assert [tuple(row) for row in reader.execute("SELECT k FROM t").fetchall()] == [("a",), ("b",)]
    assert _rows(disk) == [("a", 1), ("b", 2)]


def test_a_read_session_sees_one_snapshot(disk: Disk, drive: Drive) -> None:
    """What is committed meanwhile is seen by the next one."""
    writer, reader = drive.connect(PATH), drive.connect(PATH)
    reader.execute("BEGIN")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE t SET v = 9")
    writer.execute("COMMIT")
    assert reader.execute("SELECT v FROM t").fetchone()[0] == 1
    reader.execute("ROLLBACK")
    reader.execute("BEGIN")
    assert reader.execute("SELECT v FROM t").fetchone()[0] == 9


def test_a_read_session_cannot_write(drive: Drive) -> None:
    """SQLite itself refuses."""
    reader = drive.connect(PATH)
    reader.execute("PRAGMA query_only = ON")
    reader.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES ('b', 2)")


def test_a_second_writer_is_told_that_the_disk_is_busy(disk: Disk, drive: Drive) -> None:
    """As by a file, with SQLite's own name for it; when the first has ended it may write."""
    first, second = drive.connect(PATH), disk.drive().connect(PATH)
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as busy:
        second.execute("BEGIN IMMEDIATE")
    assert busy.value.sqlite_errorname == "SQLITE_BUSY"
    first.execute("ROLLBACK")
    second.execute("BEGIN IMMEDIATE")
    second.execute("COMMIT")


def test_a_crash_undoes_what_its_process_has_not_committed_and_nothing_else(disk: Disk, drive: Drive) -> None:
    """The connections of the dead take nothing more."""
    dying = disk.drive()
    writer = dying.connect(PATH)
    for number, end in ((2, "COMMIT"), (3, None)):
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (?, ?)", (str(number), number))
        if end is not None:
            writer.execute(end)
    dying.crash()
    assert _rows(disk) == [("2", 2), ("a", 1)]
    with pytest.raises(sqlite3.ProgrammingError):
        writer.execute("SELECT 1")
    drive.connect(PATH).execute("BEGIN IMMEDIATE")


def test_a_disk_that_fails_takes_no_commit_until_it_is_mended(disk: Disk, drive: Drive) -> None:
    """The transaction is still open: the store undoes it."""
    writer = drive.connect(PATH)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES ('b', 2)")
    disk.broken = "disk I/O error"
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        writer.execute("COMMIT")
    assert writer.in_transaction
    writer.execute("ROLLBACK")
    assert _rows(disk) == [("a", 1)]


@pytest.mark.parametrize(
    "extra",
    [
        "CREATE TABLE other(n INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT REFERENCES t(k))",
        "CREATE TABLE made(k TEXT, twice TEXT GENERATED ALWAYS AS (k || k) STORED)",
        "CREATE TRIGGER told AFTER DELETE ON t BEGIN INSERT INTO t VALUES (OLD.k || '!', 0); END",
    ],
)
def test_a_disk_becomes_what_a_template_holds(extra: str, drive: Drive) -> None:
    """Rows, counters and schema, also where rows alone would not do."""
    disk = drive.disk
    writer = drive.connect(PATH)
    for statement in ("BEGIN IMMEDIATE", extra, "COMMIT"):
        writer.execute(statement)
    template = disk.template()
    before = disk.live.serialize()
    writer.execute("BEGIN IMMEDIATE")
    for statement in ("INSERT INTO t VALUES ('b', 2)", "DELETE FROM t WHERE k = 'a'", "CREATE TABLE more(k TEXT)"):
        writer.execute(statement)
    writer.execute("COMMIT")
    disk.reset(template)
    assert _rows(disk) == [("a", 1)]
    assert _dump(disk.live.serialize()) == _dump(before)


def _dump(image: bytes) -> list[str]:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(image)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def test_pragmas_are_answered_as_by_a_durable_file(drive: Drive) -> None:
    """A store asserts them; here a crash undoes exactly what was not committed, so they are true."""
    connection = drive.connect(PATH)
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    before = connection.execute("PRAGMA data_version").fetchone()[0]
    other = drive.connect(PATH)
    for statement in ("BEGIN IMMEDIATE", "DELETE FROM t", "COMMIT"):
        other.execute(statement)
    assert connection.execute("PRAGMA data_version").fetchone()[0] > before
