"""One SQLite database in memory, as the connections of production stores see it: the only driver of the kit.

SQLite in memory cannot show one connection what is committed while another writes. So the disk keeps one live
connection, and an image of what is committed, taken when a transaction begins: whoever reads meanwhile reads that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast, final

from attrs import define, field, frozen

_DURABLE: Final = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
"""What a store asserts of its file. In a run a crash undoes exactly what was not committed, so it is true."""


@final
class Disk:
    """A database that outlives every process. `version` counts its changes; `broken` makes the next COMMITs fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.live = _connection()
        self.live.execute("PRAGMA user_version = 1")  # a database without a page has no image
        self.version = 0
        self.broken: str | None = None
        self.writer: Side | None = None
        self.written: tuple[int, int] = (0, 0)
        self._image: bytes | None = None
        self._image_of = -1
        self._spare: list[Copy] = []

    def image(self) -> bytes:
        """Return what is committed, as bytes. Call it while nobody writes, or for the version that was kept."""
        if self._image is None or self._image_of != self.version:
            self._image, self._image_of = self.live.serialize(), self.version
        return self._image

    def template(self) -> Template:
        """Return what is committed, so that `reset` can bring it back."""
        return _template(self.live, self.image())

    def reset(self, template: Template) -> None:
        """Become what a template holds. Nobody may be using the disk."""
        live = self.live
        if live.in_transaction:
            live.execute("ROLLBACK")
        if template.is_plain and _schema_version(live) == template.schema_version:
            _refill(live, template)
        else:
            # Never into a connection that knows statements: SQLite would run them on freed tables.
            live.close()
            self.live = _connection()
            self.live.deserialize(template.image)
        self.writer, self.broken = None, None
        # A new number each time: a copy of an earlier run must not pass for one of this.
        self.version += 1
        self._image, self._image_of = template.image, self.version

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on what is committed."""
        if self.writer is None:
            return [tuple(row) for row in self.live.execute(statement)]
        copy = self.lend()
        try:
            return [tuple(row) for row in copy.connection.execute(statement)]
        finally:
            self.give_back(copy)

    def content(self) -> dict[str, list[Any]]:
        """Return the rows of every table of the user's, and the events with the dead letters."""
        names = self.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        users: dict[str, list[Any]] = {
            name: self.query(f'SELECT * FROM "{name}"') for (name,) in names if not name.startswith("er_")
        }
        told = self.query("SELECT type, key, data FROM er_outbox ORDER BY position")
        return {**users, "events": list(told), "dead letters": list(self.query("SELECT cause FROM er_dead"))}

    def lend(self) -> Copy:
        """Lend a copy of what is committed."""
        copy = self._spare.pop() if self._spare else Copy()
        if copy.version != self.version:
            copy.connection.deserialize(self.image())
            copy.version = self.version
        return copy

    def give_back(self, copy: Copy) -> None:
        """Take a copy back."""
        self._spare.append(copy)

    def __del__(self) -> None:
        # Nobody closes a disk: it ends with the last world that knows it. Python 3.13 warns of what is left open.
        self.live.close()

    def drive(self) -> Drive:
        """Return the disk as one life of a process uses it."""
        return Drive(self)


@frozen
class Template:
    """A committed database: its image, and where that is enough, the rows of each table with how to put them back."""

    image: bytes
    schema_version: int
    is_plain: bool
    empty: tuple[str, ...]
    fill: tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...]


@final
@define(eq=False)
class Copy:
    """A copy of the committed database, and which version of it that is."""

    # It forgets each statement at once: one that outlived `deserialize` would run on freed tables.
    connection: sqlite3.Connection = field(factory=lambda: _connection(readonly=True))
    version: int = -1

    def __del__(self) -> None:
        self.connection.close()


@final
@define(eq=False)
class Drive:
    """A disk as one life of a process uses it: the medium of its store."""

    disk: Disk
    sides: list[Side] = field(factory=list)

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open one more connection."""
        side = Side(self.disk)
        self.sides.append(side)
        return cast("sqlite3.Connection", side)  # the part of its interface that a store uses

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Return the same for ever: nobody replaces this disk."""
        return (0, 0)

    def crash(self) -> None:
        """End every connection, and undo what they have not committed."""
        for side in self.sides:
            side.end()


@final
class Side:
    """One connection of a store: to the live database when it writes, or when nobody does; else to an image."""

    __slots__ = ("_copy", "_disk", "_ended", "_readonly", "row_factory")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._readonly = False
        self._ended = False
        self._copy: Copy | None = None  # of a read session, for as long as that lasts

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction of this connection is open."""
        return self._copy is not None or self._disk.writer is self

    @property
    def total_changes(self) -> int:
        """Return how many rows were changed."""
        return self._disk.live.total_changes

    def set_progress_handler(self, handler: object, steps: int) -> None:
        """Do nothing: how long a query takes is no matter here."""

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Run one statement."""
        if self._ended:
            raise sqlite3.ProgrammingError("the process that used this connection has crashed, or closed it")
        if self._disk.writer is self:
            return self._written(statement, parameters)
        if statement == "BEGIN IMMEDIATE":
            return self._begin()
        if statement[:6] == "PRAGMA":
            return self._pragma(statement)
        if statement == "BEGIN":
            self._copy = self._disk.lend()
            return _Rows()
        if self._copy is not None:
            if statement == "ROLLBACK":
                self._let_go()
                return _Rows()
            return self._copy.connection.execute(statement, parameters)
        return self._asked(statement, parameters)

    def executemany(self, statement: str, rows: Iterable[Any]) -> Any:
        """Run one statement for each row of parameters."""
        if self._ended or self._disk.writer is not self:
            raise sqlite3.ProgrammingError("rows are written inside a transaction")
        return self._disk.live.executemany(statement, rows)

    def close(self) -> None:
        """End the connection."""
        self.end()

    def end(self) -> None:
        """Undo what is not committed; refuse everything from now on."""
        self._ended = True
        if self._disk.writer is self:
            self._disk.writer = None
            if self._disk.live.in_transaction:
                self._disk.live.execute("ROLLBACK")
        self._let_go()

    def _begin(self) -> Any:
        disk = self._disk
        if disk.writer is not None:
            raise _error("database is locked", "SQLITE_BUSY")
        disk.image()
        disk.writer = self
        disk.written = _written(disk.live)
        return disk.live.execute("BEGIN IMMEDIATE")

    def _written(self, statement: str, parameters: Any) -> Any:
        disk = self._disk
        if statement == "COMMIT":
            if disk.broken is not None:
                raise _error(disk.broken, "SQLITE_IOERR")
            result = disk.live.execute(statement)
            disk.writer = None
            disk.version += _written(disk.live) != disk.written  # a COMMIT of nothing is none: nobody wakes for it
            return result
        try:
            return disk.live.execute(statement, parameters)
        finally:
            if not disk.live.in_transaction:  # rolled back, by us or by SQLite
                disk.writer = None

    def _asked(self, statement: str, parameters: Any) -> Any:
        """Answer a single question; only what is committed may be seen."""
        disk = self._disk
        if disk.writer is None and not (self._readonly and not statement.startswith("SELECT")):
            return disk.live.execute(statement, parameters)
        copy = disk.lend()
        try:
            return _Rows(copy.connection.execute(statement, parameters).fetchall())
        finally:
            disk.give_back(copy)

    def _pragma(self, statement: str) -> Any:
        name, _, value = (part.strip() for part in statement[6:].partition("="))
        if value:
            self._readonly = self._readonly or name == "query_only"
            return _Rows()
        if name == "data_version":
            return _Rows([(self._disk.version,)])
        return _Rows([(_DURABLE.get(name, 0), 0, 0)])

    def _let_go(self) -> None:
        if self._copy is not None:
            self._disk.give_back(self._copy)
            self._copy = None


@final
class _Rows:
    """An answer that is there already."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any] | None = None) -> None:
        self._rows = rows or []
        self.rowcount = -1

    def fetchone(self) -> Any:
        """Return the first row."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """Return the rest."""
        rows, self._rows = self._rows, []
        return rows

    def __iter__(self) -> Any:
        return iter(self.fetchall())


def _connection(*, readonly: bool = False) -> sqlite3.Connection:
    statements = 0 if readonly else 512
    connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=statements
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA page_size = 512")  # an image has as many pages as tables and indexes, mostly empty
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if readonly:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _error(reason: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(reason)
    error.sqlite_errorname = name
    return error


def _written(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return what tells two states of a database apart: the rows changed so far, and the version of its schema."""
    return connection.total_changes, _schema_version(connection)


def _schema_version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA schema_version").fetchone()
    return int(version)


def _template(connection: sqlite3.Connection, image: bytes) -> Template:
    schema = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    tables = [name for kind, name, _ in schema if kind == "table"]
    is_plain = not any(kind == "trigger" or "VIRTUAL TABLE" in (sql or "").upper() for kind, _, sql in schema)
    is_plain = is_plain and not any(_has_generated(connection, table) for table in tables)
    fill = []
    for table in tables:
        rows = tuple(tuple(row) for row in connection.execute(f'SELECT * FROM "{table}"'))
        if rows:
            fill.append((f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(rows[0]))})', rows))
    empty = tuple(f'DELETE FROM "{table}"' for table in tables)
    return Template(image, _schema_version(connection), is_plain, empty, tuple(fill))


def _has_generated(connection: sqlite3.Connection, table: str) -> bool:
    return any(row["hidden"] for row in connection.execute(f'PRAGMA table_xinfo("{table}")'))


def _refill(connection: sqlite3.Connection, template: Template) -> None:
    """Empty every table and fill it again: several times quicker than to prepare every statement anew."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN")
    for statement in template.empty:
        connection.execute(statement)
    for statement, rows in template.fill:
        connection.executemany(statement, rows)
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
