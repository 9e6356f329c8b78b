"""A disk in memory gives the answers of a file in WAL mode, to any statements on two connections, with crashes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from effect_runtime.outbox.sqlite._connection import connect, make_durable, make_readonly
from effect_runtime.testing.ground._disk import Disk

PATH = Path("x.db")
CONNECTIONS = (0, 1, 2)
READER = 2

TABLES = (
    "CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER NOT NULL CHECK (v < 9)) STRICT, WITHOUT ROWID",
    "CREATE TABLE numbered(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT REFERENCES t(k) ON DELETE CASCADE)",
    "CREATE TABLE late(k TEXT REFERENCES t(k) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE heap(x)",
    "CREATE VIEW seen AS SELECT k, v * 2 AS twice FROM t",
    "INSERT INTO t VALUES ('a', 1), ('b', 2)",
    "INSERT INTO heap VALUES (1), (2), (3)",
    "INSERT INTO numbered(k) VALUES ('a'), ('b')",
    "DELETE FROM numbered WHERE id = 2",
    "DELETE FROM heap WHERE x = 2",
)
EXTRAS = (
    (),
    ("CREATE TABLE made(k TEXT, twice TEXT GENERATED ALWAYS AS (k || k) STORED)", "INSERT INTO made(k) VALUES ('m')"),
    ("CREATE TRIGGER told AFTER INSERT ON heap BEGIN INSERT INTO numbered(k) VALUES (NULL); END",),
    ("CREATE VIRTUAL TABLE words USING fts5(text)", "INSERT INTO words VALUES ('one two'), ('two three')"),
    ("CREATE TABLE shadowed(rowid, _rowid_, oid)", "INSERT INTO shadowed VALUES (3, 2, 1)"),
)
READS = (
    "SELECT k, v FROM t",
    "SELECT id, k FROM numbered",
    "SELECT k FROM late",
    "SELECT rowid, x FROM heap",
    "SELECT k, twice FROM seen",
    "WITH big AS (SELECT * FROM t WHERE v > 1) SELECT count(*) FROM big",
    "VALUES (1, 2)",
    "SELECT * FROM made",
    "SELECT text FROM words WHERE words MATCH 'two'",
    "SELECT * FROM later",
    "SELECT name, seq FROM sqlite_sequence",
    "SELECT type, name FROM sqlite_schema ORDER BY name",
    "PRAGMA table_info(t)",
    "PRAGMA foreign_key_check",
    "PRAGMA query_only",
    "PRAGMA journal_mode",
    "PRAGMA synchronous",
    "PRAGMA foreign_keys",
    "nonsense",
)
WRITES = (
    "INSERT INTO t VALUES (?, ?)",
    "INSERT INTO t VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
    "INSERT OR IGNORE INTO t VALUES (?, ?) RETURNING k, v",
    "INSERT OR REPLACE INTO t VALUES (?, ?) RETURNING v",
    "INSERT OR ROLLBACK INTO t VALUES (?, ?)",
    "UPDATE t SET v = v + 1 WHERE k <= ? AND v <> ? RETURNING k, v",
    "DELETE FROM t WHERE k = ? AND v <> ?",
    "INSERT INTO numbered(k) SELECT ? WHERE ? > 1 RETURNING id",
    "INSERT INTO late SELECT ? WHERE ? > 1",
    "INSERT INTO heap SELECT ? WHERE ? > 1 RETURNING rowid",
    "DELETE FROM heap WHERE x = ? OR x = ?",
    "INSERT INTO made(k) SELECT ? WHERE ? > 1 RETURNING twice",
    "INSERT INTO words SELECT ? WHERE ? > 1",
)
PLAIN = (
    "DELETE FROM t",
    "DELETE FROM numbered",
    "CREATE TABLE later(k)",
    "DROP TABLE later",
    "CREATE INDEX by_v ON t(v)",
    "CREATE VIEW other AS SELECT 1 AS one",
)
CONTROL = ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
SAVEPOINTS = ("SAVEPOINT s", "SAVEPOINT r", "RELEASE s", "RELEASE r", "ROLLBACK TO s", "ROLLBACK TO r")

words = st.sampled_from(["a", "b", "c", "é\x00" * 400])
numbers = st.integers(0, 9)


def told(connection: Any, statement: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """Run a statement and return what a store learns from it."""
    try:
        cursor = connection.execute(statement, parameters)
        rows = [tuple(row) for row in cursor.fetchall()]
    except sqlite3.Error as error:
        return type(error), getattr(error, "sqlite_errorname", None), str(error)
    return rows, cursor.rowcount


class Alike(RuleBasedStateMachine):
    """Two connections that may write and one that only reads, on a disk and on a file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(ignore_cleanup_errors=True)
        self.file = Path(self.folder.name, "x.db")
        self.disk = Disk("x.db")
        self.drives = [self.disk.drive() for _ in CONNECTIONS]
        self.versions: dict[int, tuple[object, object]] = {}
        self.kept: tuple[Any, bytes] | None = None
        self.sides: list[Any] = []
        self.files: list[sqlite3.Connection] = []

    @initialize(extra=st.sampled_from(EXTRAS))
    def create(self, extra: tuple[str, ...]) -> None:
        """Make the tables."""
        self.sides = [drive.connect(PATH) for drive in self.drives]
        self.files = [connect(self.file) for _ in CONNECTIONS]
        self._configure(*CONNECTIONS)
        for statement in ("BEGIN IMMEDIATE", *TABLES, *extra, "COMMIT"):
            self.both(0, statement)

    def _configure(self, *which: int) -> None:
        for connection in which:
            for opened in (self.sides[connection], self.files[connection]):
                make_durable(opened, "x")
                if connection == READER:
                    make_readonly(opened)

    def both(self, connection: int, statement: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """Run a statement on both, compare, and return the answer."""
        ours = told(self.sides[connection], statement, parameters)
        real = told(self.files[connection], statement, parameters)
        may_write = connection != READER and self.disk.writer in (None, self.sides[connection])
        if not may_write and statement in (*WRITES, *PLAIN) and not isinstance(real[0], list):
            # Why it is refused depends on whether SQLite looks at the right to write or at the schema first.
            ours, real = ours[:1], real[:1]
        assert ours == real, (connection, statement, parameters)
        assert self.sides[connection].in_transaction == self.files[connection].in_transaction
        return ours

    @rule(connection=st.sampled_from(CONNECTIONS), statement=st.sampled_from(READS))
    def read(self, connection: int, statement: str) -> None:
        """Ask something."""
        if "FROM" not in statement and self.sides[connection].in_transaction:
            return  # what reads no table fixes no snapshot in a file, and does on a disk
        self.both(connection, statement)

    @rule(connection=st.sampled_from(CONNECTIONS), statement=st.sampled_from(WRITES), word=words, number=numbers)
    def write(self, connection: int, statement: str, word: str, number: int) -> None:
        """Change something."""
        done = self.both(connection, statement, (word, number))
        if isinstance(done[0], list) and self.sides[connection].in_transaction:
            self.both(connection, "SELECT changes()")
            if number > 1 and "INTO heap" in statement:
                self.both(connection, "SELECT last_insert_rowid()")

    @rule(connection=st.sampled_from(CONNECTIONS), statement=st.sampled_from((*PLAIN, *CONTROL, *CONTROL)))
    def control(self, connection: int, statement: str) -> None:
        """Change the schema, begin or end."""
        reads = self.sides[connection].in_transaction and self.disk.writer is not self.sides[connection]
        if reads and statement.startswith(("BEGIN IMMEDIATE", "CREATE", "DROP")):
            return  # refused by both, but a file may have taken the lock before it finds out
        self.both(connection, statement)

    @rule(connection=st.sampled_from((0, 1)), statement=st.sampled_from(SAVEPOINTS))
    def nest(self, connection: int, statement: str) -> None:
        """Open, keep and undo a part of a transaction."""
        if self.disk.writer is self.sides[connection]:
            self.both(connection, statement)

    @rule()
    def notice(self) -> None:
        """Look whether somebody has committed: the number says no more than that."""
        for connection in CONNECTIONS:
            if not self.sides[connection].in_transaction:
                now = (told(self.sides[connection], "PRAGMA data_version", ()),
                       told(self.files[connection], "PRAGMA data_version", ()))  # fmt: skip
                before = self.versions.get(connection)
                if before is not None and connection == READER:
                    assert (now[0] != before[0]) >= (now[1] != before[1])
                self.versions[connection] = now

    @rule(connection=st.sampled_from(CONNECTIONS))
    def crash(self, connection: int) -> None:
        """Die, and come back."""
        self.drives[connection].crash()
        self.files[connection].close()
        self.sides[connection] = self.drives[connection].connect(PATH)
        self.files[connection] = connect(self.file)
        self._configure(connection)
        self.versions.pop(connection, None)

    @precondition(lambda self: self.disk.writer is None)
    @rule()
    def keep(self) -> None:
        """Remember what is committed."""
        self.kept = self.disk.template(), connect_and(self.file, lambda file: file.serialize())

    @precondition(lambda self: self.kept is not None)
    @rule()
    def reset(self) -> None:
        """End everybody, and become what is remembered."""
        assert self.kept is not None
        template, image = self.kept
        for connection in CONNECTIONS:
            self.drives[connection].crash()
            self.files[connection].close()
        self.disk.reset(template)
        for left in self.file.parent.iterdir():
            left.unlink()
        self.file.write_bytes(image)
        self.sides = [drive.connect(PATH) for drive in self.drives]
        self.files = [connect(self.file) for _ in CONNECTIONS]
        self._configure(*CONNECTIONS)
        self.versions.clear()
        for statement in READS:
            self.both(READER, statement)

    def teardown(self) -> None:
        """Look at everything that was committed once more, as somebody new."""
        try:
            for connection in CONNECTIONS:
                self.crash(connection)
            for statement in READS:
                self.both(0, statement)
        finally:
            for file in self.files:
                file.close()
            self.folder.cleanup()


def connect_and(path: Path, ask: Any) -> Any:
    """Ask a file something on a connection of its own."""
    connection = connect(path)
    try:
        return ask(connection)
    finally:
        connection.close()


TestAlike = Alike.TestCase
