"""A disk in memory behaves towards a store as a file in WAL mode does, and forgets what was not committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from effect_runtime.testing.ground._disk import Disk, Drive
from effect_runtime.testing.loop._host import NOON, virtual_host
from effect_runtime.testing.loop._sequencer import Sequencer
from effect_runtime.testing.loop._site import Canonical

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
    """It is fixed by the first question; what is committed meanwhile is seen by the next one."""
    writer, reader = drive.connect(PATH), drive.connect(PATH)
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM t")
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


def test_a_pragma_about_the_database_is_answered_by_it(drive: Drive) -> None:
    """Only what a store asserts of a file is answered for it."""
    connection = drive.connect(PATH)
    asked = ("PRAGMA table_info(t)", "PRAGMA foreign_key_check", "PRAGMA integrity_check")
    found = [[tuple(row) for row in connection.execute(statement).fetchall()] for statement in asked]
    assert found == [[(0, "k", "TEXT", 0, None, 1), (1, "v", "INTEGER", 0, None, 0)], [], [("ok",)]]


def test_a_commit_of_nothing_needs_no_disk(disk: Disk, drive: Drive) -> None:
    """A failing disk is not asked: who has only read is told what was read."""
    writer = drive.connect(PATH)
    disk.broken = "disk I/O error"
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("SELECT * FROM t")
    writer.execute("COMMIT")
    assert (writer.in_transaction, disk.writer) == (False, None)


def test_a_look_from_outside_writes_nothing(disk: Disk) -> None:
    """Also while nobody else uses the disk."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        disk.query("DELETE FROM t")
    assert _rows(disk) == [("a", 1)]


def test_what_is_temporary_ends_with_its_connection(disk: Disk, drive: Drive) -> None:
    """With the crash of its process, and with the run."""
    dying = disk.drive()
    for connection in (dying.connect(PATH), drive.connect(PATH)):
        for statement in ("BEGIN IMMEDIATE", "CREATE TEMP TABLE wanted(k)", "COMMIT"):
            connection.execute(statement)
        dying.crash()
    disk.reset(disk.template())
    with pytest.raises(sqlite3.OperationalError, match="no such table: wanted"):
        disk.query("SELECT * FROM wanted")


def test_a_temporary_trigger_does_not_see_the_rows_come_back(drive: Drive) -> None:
    """It ended with the run in which it was made."""
    disk, writer = drive.disk, drive.connect(PATH)
    template = disk.template()
    trigger = "CREATE TEMP TRIGGER told AFTER INSERT ON t BEGIN UPDATE t SET v = 99; END"
    for statement in ("BEGIN IMMEDIATE", trigger, "COMMIT"):
        writer.execute(statement)
    disk.reset(template)
    assert _rows(disk) == [("a", 1)]


def test_what_a_store_holds_is_told_in_the_users_tables(drive: Drive) -> None:
    """Not in those in which a virtual table keeps what it says: they tell of its history."""
    disk, writer = drive.disk, drive.connect(PATH)
    for statement in (
        "BEGIN IMMEDIATE",
        "CREATE TABLE er_outbox(position INTEGER PRIMARY KEY, type, key, data)",
        "CREATE TABLE er_agenda(position INTEGER PRIMARY KEY, reaction, key, data)",
        "CREATE TABLE er_dead(cause)",
        "CREATE VIRTUAL TABLE words USING fts5(text)",
        "CREATE VIEW seen AS SELECT 1",
        "INSERT INTO words VALUES ('one')",
        "COMMIT",
    ):
        writer.execute(statement)
    assert disk.content() == {"t": [("a", 1)], "words": [("one",)], "events": [], "agenda": [], "dead letters": []}


ASKED_OF_FUNCTIONS = (
    "SELECT value FROM t, json_each('[' || v || ']')",
    "SELECT count(*) FROM pragma_table_info('t')",
    "SELECT count(*) FROM listed",
    "SELECT count(*) FROM words WHERE words MATCH 'one'",
)


@pytest.mark.parametrize("asked", ASKED_OF_FUNCTIONS)
def test_a_table_that_is_a_function_may_be_asked_in_every_version(asked: str, disk: Disk, drive: Drive) -> None:
    """Also by a read session beside a writer, who commits again and again."""
    writer, reader = drive.connect(PATH), drive.connect(PATH)
    found = []
    for number in range(200):
        writer.execute("BEGIN IMMEDIATE")
        if not number:
            writer.execute("CREATE VIEW listed AS SELECT value FROM t, json_each('[1, 2]')")
            writer.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        writer.execute("UPDATE t SET v = ?", (number,))
        writer.execute("COMMIT")
        writer.execute("BEGIN IMMEDIATE")
        reader.execute("BEGIN")
        found.append(reader.execute(asked).fetchone()[0])
        reader.execute("ROLLBACK")
        assert disk.query(asked)[0][0] == found[-1]
        writer.execute("ROLLBACK")
    assert found == (list(range(200)) if "json" in asked else [found[0]] * 200)


def test_a_new_connection_has_inserted_nothing(disk: Disk, drive: Drive) -> None:
    """Whatever another, or an earlier run, has inserted last."""
    first, second = drive.connect(PATH), drive.connect(PATH)
    numbers = []
    steps = (
        (first, "CREATE TABLE n(id INTEGER PRIMARY KEY)"),
        (first, "INSERT INTO n VALUES (7)"),
        (second, "SELECT 1"),
    )
    for connection, statement in steps:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement)
        numbers.append(tuple(connection.execute("SELECT last_insert_rowid(), changes()").fetchone()))
        connection.execute("COMMIT")
    assert numbers == [(0, 0), (7, 1), (0, 0)]


def test_numbers_go_on_after_a_reset_as_they_would_have(drive: Drive) -> None:
    """Those of AUTOINCREMENT, those of rows without a number of their own, and foreign keys are watched."""
    disk, writer = drive.disk, drive.connect(PATH)
    for statement in (
        "BEGIN IMMEDIATE",
        "CREATE TABLE made(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT REFERENCES t(k))",
        "CREATE TABLE heap(x)",
        "INSERT INTO made(k) VALUES ('a'), ('a'), ('a')",
        "DELETE FROM made WHERE id = 3",
        "INSERT INTO heap VALUES (1), (2), (3)",
        "DELETE FROM heap WHERE x = 1",
        "COMMIT",
    ):
        writer.execute(statement)
    template = disk.template()
    found = []
    for _ in range(3):
        writer = drive.connect(PATH)
        writer.execute("BEGIN IMMEDIATE")
        rows = (
            writer.execute("INSERT INTO made(k) VALUES ('a') RETURNING id").fetchone()[0],
            writer.execute("INSERT INTO heap VALUES (9) RETURNING rowid").fetchone()[0],
            [tuple(row) for row in writer.execute("SELECT rowid, x FROM heap").fetchall()],
        )
        with pytest.raises(sqlite3.IntegrityError):
            writer.execute("INSERT INTO made(k) VALUES ('nobody')")
        writer.execute("COMMIT")
        found.append(rows)
        disk.reset(template)
    assert found == [(4, 4, [(2, 2), (3, 3), (4, 9)])] * 3


def test_text_that_is_none_comes_back_as_well(drive: Drive) -> None:
    """What Python cannot read as text is brought back all the same."""
    disk, writer = drive.disk, drive.connect(PATH)
    for statement in ("BEGIN IMMEDIATE", "INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 2)", "COMMIT"):
        writer.execute(statement)
    template = disk.template()
    disk.reset(template)
    assert disk.query("SELECT hex(k), v FROM t ORDER BY v") == [("61", 1), ("FF", 2)]


SAID_IN_SQL = (
    "SELECT CURRENT_TIMESTAMP, CURRENT_DATE, CURRENT_TIME, datetime('now'), datetime(), date('NOW', '+1 day')",
    "SELECT time('now', 'localtime'), strftime('%Y-%m', 'now'), strftime('%d'), julianday('now'), at, chance FROM made",
    "SELECT random(), hex(randomblob(4)), abs(random() % 10), date('2020-02-28', '+1 day'), datetime(0, 'unixepoch')",
)


def _said(host_number: int | None) -> list[list[object]]:
    disk = Disk("x.db")
    sequencer = Sequencer(Canonical())
    sequencer.now = timedelta(days=1, milliseconds=250).total_seconds()
    drive = disk.drive(None if host_number is None else virtual_host(sequencer, number=host_number))
    writer, reader = drive.connect(PATH), drive.connect(PATH)
    for statement in (
        "BEGIN IMMEDIATE",
        "CREATE TABLE made(at TEXT DEFAULT CURRENT_TIMESTAMP, chance TEXT DEFAULT (hex(randomblob(2))),"
        " day TEXT GENERATED ALWAYS AS (date(at)) STORED)",
        "CREATE INDEX by_day ON made(date(at))",
        "INSERT INTO made DEFAULT VALUES",
        "COMMIT",
        "BEGIN IMMEDIATE",
    ):
        writer.execute(statement)
    rows = [list(connection.execute(statement).fetchone()) for connection in (writer, reader)
            for statement in SAID_IN_SQL]  # fmt: skip
    writer.close()
    reader.close()
    return rows


def test_time_in_sql_is_that_of_the_process() -> None:
    """Also where a default says it, in what a reader asks, and where an index uses such a function."""
    noon = NOON + timedelta(days=1)
    said = _said(1)
    now = [f"{noon:%Y-%m-%d %H:%M:%S}", f"{noon:%Y-%m-%d}", f"{noon:%H:%M:%S}"]
    assert said[0] == said[3] == [*now, now[0], now[0], f"{noon + timedelta(days=1):%Y-%m-%d}"]
    assert said[1][:3] == said[4][:3] == [now[2], f"{noon:%Y-%m}", f"{noon:%d}"]
    assert said[1][3:5] == said[4][3:5] == [2462504.0000028936, now[0]]
    assert said[2][3:] == said[5][3:] == ["2020-02-29", "1970-01-01 00:00:00"]


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 43), reason="this SQLite has no timediff")
def test_a_difference_of_times_in_sql_is_that_of_the_process() -> None:
    """On either side of it."""
    disk = Disk("x.db")
    connection = disk.drive(virtual_host(Sequencer(Canonical()), number=0)).connect(PATH)
    asked = "SELECT timediff('now', '2029-12-31 12:00:00'), timediff('2029-12-31 12:00:00', 'now')"
    assert list(connection.execute(asked).fetchone()) == [
        "+0000-00-01 00:00:00.000",
        "-0000-00-01 00:00:00.000",
    ]


def test_chance_in_sql_is_that_of_the_process() -> None:
    """The same in each run, and another each time that it is asked."""
    first, second = _said(1), _said(1)
    assert first == second
    assert first[2][:2] != first[5][:2]


def test_a_disk_without_a_process_has_real_time_and_chance() -> None:
    """Where no host is given, SQL answers as anywhere."""
    first, second = _said(None), _said(None)
    assert first[2][:2] != second[2][:2]
    assert first[2][3:] == ["2020-02-29", "1970-01-01 00:00:00"]
    assert first[0][0] != f"{NOON + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
