"""One SQLite database in memory, as the connections of production stores see it: the only driver of the kit.

SQLite in memory cannot show one connection what is committed while another writes. So the disk keeps one live
connection, and an image of what is committed, taken when a transaction begins: whoever reads meanwhile reads that.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast, final

from attrs import define, field

from effect_runtime.interpreter import Host
from effect_runtime.testing.ground._sql import Sql
from effect_runtime.testing.ground._template import Template, refill, schema_version, template_of

_SETTINGS: Final = {
    "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "wal_autocheckpoint": 0, "wal_checkpoint": 0,
    "temp_store": 2, "cache_size": 0, "journal_size_limit": 0, "query_only": 0, "data_version": 0,
}  # fmt: skip
"""What is asked of a file and is answered for it; other pragmas are the database's own.

Of the first three a store depends. In a run a crash undoes exactly what was not committed, so they are true.
"""

_FUNCTION: Final = re.compile(r"json|pragma_|dbstat|dbpage|sqlite_stmt|bytecode|tables_used|tokenize", re.IGNORECASE)
"""What may be a table that is a function: a connection that knows one must never get another database."""

_REMEMBERED: Final = 4096

_ENDS: Final = frozenset({"COMMIT", "ROLLBACK"})

_BUSY: Final = (("SQLITE_BUSY", 5), "database is locked")
_STALE: Final = (("SQLITE_BUSY_SNAPSHOT", 517), "database is locked")
_READONLY: Final = (("SQLITE_READONLY", 8), "attempt to write a readonly database")
_NESTED: Final = (("SQLITE_ERROR", 1), "cannot start a transaction within a transaction")


@final
class Disk:
    """A database that outlives every process. `version` counts its changes; `broken` makes the next COMMITs fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sql = Sql()
        self.live = _connection(self.sql)
        self.live.execute("PRAGMA user_version = 1")  # a database without a page has no image
        self.version = 0
        self.broken: str | None = None
        self.writer: Side | None = None
        self.written: tuple[int, int] = (0, 0)
        self.last: Side | None = None  # who wrote last: what a connection remembers of its own writing is about that
        self._image: bytes | None = None
        self._image_of = -1
        self._spare: list[Copy] = []
        self._verdicts: dict[str, bool] = {}
        self._has_functions = False  # in a view

    def image(self) -> bytes:
        """Return what is committed, as bytes. Call it while nobody writes, or for the version that was kept."""
        if self._image is None or self._image_of != self.version:
            self._image, self._image_of = self.live.serialize(), self.version
        return self._image

    def template(self) -> Template:
        """Return what is committed, so that `reset` can bring it back."""
        return template_of(self.live, self.image())

    def reset(self, template: Template) -> None:
        """Become what a template holds. Nobody may be using the disk."""
        live = self.live
        if live.in_transaction:
            live.execute("ROLLBACK")
        self.forget_temporary()  # first: a temporary trigger would see the rows come back
        if template.is_plain and schema_version(live) == template.schema_version:
            refill(live, template)
        else:
            # Never into a connection that knows statements: SQLite would run them on freed tables.
            live.close()
            self.live = _connection(self.sql)
            self.live.deserialize(template.image)
            self._look_at_views()
        self.writer, self.last, self.broken = None, None, None
        # A new number each time: a copy of an earlier run must not pass for one of this.
        self.version += 1
        self._image, self._image_of = template.image, self.version

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on what is committed; nothing can be written."""
        if self.writer is None and statement.startswith("SELECT"):
            return [tuple(row) for row in self.live.execute(statement)]
        copy = self.lend()
        try:
            return [tuple(row) for row in copy.execute(statement)]
        finally:
            self.give_back(copy)

    def content(self) -> dict[str, list[Any]]:
        """Return the rows of every table of the user's, and the events, what waits to be done, and the dead letters."""
        names = self.query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN"
            " (SELECT name FROM pragma_table_list WHERE type = 'shadow')"  # how a virtual table keeps what it says
        )
        users: dict[str, list[Any]] = {
            name: self.query(f'SELECT * FROM "{name}"') for (name,) in names if not name.startswith("er_")
        }
        told = self.query("SELECT type, key, data FROM er_outbox ORDER BY position")
        waits = self.query("SELECT reaction, key, data FROM er_agenda ORDER BY position")
        return {
            **users,
            "events": list(told),
            "agenda": list(waits),
            "dead letters": list(self.query("SELECT cause FROM er_dead")),
        }

    def lend(self) -> Copy:
        """Lend a copy of what is committed."""
        copy = self._spare.pop() if self._spare else Copy(self.sql, self._verdicts)
        if copy.version != self.version:
            if copy.is_spent:
                copy.connection.close()
                copy = Copy(self.sql, self._verdicts, is_spent=self._has_functions)
            copy.connection.deserialize(self.image())
            copy.version = self.version
        return copy

    def give_back(self, copy: Copy) -> None:
        """Take a copy back."""
        if copy.connection.in_transaction:  # a savepoint of a read session
            copy.connection.execute("ROLLBACK")
        copy.is_spent = copy.is_spent or self._has_functions
        self._spare.append(copy)

    def __del__(self) -> None:
        # Nobody closes a disk: it ends with the last world that knows it. Python 3.13 warns of what is left open.
        self.live.close()

    def drive(self, host: Host | None = None) -> Drive:
        """Return the disk as one life of a process uses it. Time and chance in its SQL are those of its host."""
        return Drive(self, host)

    def begin(self, side: Side) -> Any:
        """Give one connection the only right to write; raises what a file raises while another has it."""
        if self.writer is not None:
            raise _error(*_BUSY)
        if self.last is not side:
            # What a connection remembers of its last INSERT is nothing yet.
            self.live.execute("INSERT OR REPLACE INTO temp.er_nothing VALUES (0)")
            self.live.execute("DELETE FROM temp.er_nothing WHERE number = 1")
        self.image()
        self.writer = self.last = side
        self.written = self._counted()
        return self.live.execute("BEGIN IMMEDIATE")

    def commit(self) -> Any:
        """Commit what is written; a disk that fails takes nothing, but then nothing need be taken of who wrote none."""
        if self.broken is not None and self._counted() != self.written:
            raise _error(("SQLITE_IOERR", 10), self.broken)
        result = self.live.execute("COMMIT")
        self.writer = None
        counted = self._counted()
        self.version += counted != self.written  # a COMMIT of nothing is none: nobody wakes for it
        if counted[1] != self.written[1]:
            self._look_at_views()
        return result

    def end(self, side: Side) -> None:
        """Forget a connection that has ended: what it has not committed, and what was only its own."""
        if self.writer is side:
            self.writer = None
            if self.live.in_transaction:
                self.live.execute("ROLLBACK")
        if self.last is side and self.writer is None:
            self.last = None
            self.forget_temporary()

    def forget_temporary(self) -> None:
        """Drop what ends with the connection that made it."""
        made = self.live.execute("SELECT type, name FROM sqlite_temp_schema WHERE name <> 'er_nothing'").fetchall()
        for kind, name in made:
            self.live.execute(f'DROP {kind} IF EXISTS temp."{name}"')

    def _look_at_views(self) -> None:
        views = self.live.execute("SELECT sql FROM sqlite_schema WHERE type = 'view'").fetchall()
        self._has_functions = any(_FUNCTION.search(text) for (text,) in views)

    def _counted(self) -> tuple[int, int]:
        """Return what tells two states apart: the rows changed so far, and the version of the schema."""
        return self.live.total_changes, schema_version(self.live)


@final
@define(eq=False)
class Copy:
    """A copy of the committed database, and which version of it that is. `is_spent`: it can get no other."""

    sql: Sql
    _verdicts: dict[str, bool]
    is_spent: bool = False
    # Made by the copy itself: what is older is finalized first, and has to close it.
    connection: sqlite3.Connection = field(init=False)
    version: int = -1

    def __attrs_post_init__(self) -> None:
        """Open the connection."""
        self.connection = _connection(self.sql, readonly=True)

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run one statement."""
        verdict = self._verdicts.get(statement)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED:  # statements with their values written into them are new each time
                self._verdicts.clear()
            verdict = self._verdicts[statement] = _FUNCTION.search(statement) is not None
        # SQLite keeps a table that is a function, and what it keeps belongs to the database that was there.
        self.is_spent = self.is_spent or verdict
        return self.connection.execute(statement, parameters)

    def __del__(self) -> None:
        self.connection.close()


@final
@define(eq=False)
class Drive:
    """A disk as one life of a process uses it: the medium of its store."""

    disk: Disk
    host: Host | None = None
    sides: list[Side] = field(factory=list)

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open one more connection."""
        side = Side(self.disk, self.host)
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

    __slots__ = ("_copy", "_disk", "_ended", "_host", "_is_reading", "_readonly", "row_factory")

    def __init__(self, disk: Disk, host: Host | None) -> None:
        self._disk = disk
        self._host = host
        self._readonly = False
        self._ended = False
        self._is_reading = False
        self._copy: Copy | None = None  # of a read session, from its first question on

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction of this connection is open."""
        return self._is_reading or self._disk.writer is self

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
        disk = self._disk
        disk.sql.host = self._host
        if statement[:6] == "PRAGMA":
            name, _, value = (part.strip() for part in statement[6:].partition("="))
            if name.partition("(")[0] in _SETTINGS:
                return self._setting(name, value)
        if disk.writer is self:
            return self._written(statement, parameters)
        if statement == "BEGIN IMMEDIATE":
            if self._is_reading or self._readonly:
                raise _error(*(_NESTED if self._is_reading else _READONLY))
            return disk.begin(self)
        if self._is_reading:
            return self._read(statement, parameters)
        if statement == "BEGIN":
            self._is_reading = True
            return _Rows()
        return self._asked(statement, parameters)

    def executemany(self, statement: str, rows: Iterable[Any]) -> Any:
        """Run one statement for each row of parameters."""
        if self._ended or self._disk.writer is not self:
            raise sqlite3.ProgrammingError("rows are written inside a transaction")
        self._disk.sql.host = self._host
        return self._disk.live.executemany(statement, rows)

    def close(self) -> None:
        """End the connection."""
        self.end()

    def end(self) -> None:
        """Undo what is not committed; refuse everything from now on."""
        self._ended = True
        self._disk.end(self)
        self._let_go()

    def _written(self, statement: str, parameters: Any) -> Any:
        disk = self._disk
        if statement == "COMMIT":
            return disk.commit()
        try:
            return disk.live.execute(statement, parameters)
        finally:
            if not disk.live.in_transaction:  # rolled back, by us or by SQLite
                disk.writer = None

    def _read(self, statement: str, parameters: Any) -> Any:
        """Answer inside a transaction that has not written: its first question fixes what it sees."""
        if statement in _ENDS:
            self._let_go()
            return _Rows()
        if statement == "BEGIN":
            raise _error(*_NESTED)
        seen, disk = self._copy, self._disk
        copy = self._copy = seen or disk.lend()
        try:
            return copy.execute(statement, parameters)
        except sqlite3.Error as error:
            if seen is None:  # what was refused has fixed nothing
                self._let_go()
                self._is_reading = True
            if self._readonly or getattr(error, "sqlite_errorname", "") != "SQLITE_READONLY":
                raise
        # It began deferred and turns from reading to writing: only from what is newest.
        if seen is not None and disk.writer is None and seen.version != disk.version:
            raise _error(*_STALE)
        disk.begin(self)
        self._let_go()
        return self._written(statement, parameters)

    def _asked(self, statement: str, parameters: Any) -> Any:
        """Answer a single question; only what is committed may be seen."""
        disk = self._disk
        if statement[:6] == "SELECT" and disk.writer is None:
            return disk.live.execute(statement, parameters)
        if statement in _ENDS:
            raise _error(("SQLITE_ERROR", 1), f"cannot {statement.lower()} - no transaction is active")
        copy = disk.lend()
        try:
            rows = copy.execute(statement, parameters).fetchall()
            if copy.connection.in_transaction:
                raise sqlite3.NotSupportedError("on a simulated disk a transaction begins with BEGIN")
            return _Rows(rows)
        except sqlite3.OperationalError as error:
            if self._readonly or error.sqlite_errorname != "SQLITE_READONLY":
                raise
        finally:
            disk.give_back(copy)
        return self._alone(statement, parameters)

    def _alone(self, statement: str, parameters: Any) -> Any:
        """Run a statement as a transaction of its own."""
        disk = self._disk
        disk.begin(self)
        try:
            done = disk.live.execute(statement, parameters)
            result = _Rows(done.fetchall(), done.rowcount)
            disk.commit()
        except BaseException:
            disk.writer = None
            if disk.live.in_transaction:
                disk.live.execute("ROLLBACK")
            raise
        return result

    def _setting(self, name: str, value: str) -> Any:
        if value and name == "query_only":
            self._readonly = value.upper() in ("ON", "1", "TRUE", "YES")
        if value and name != "journal_mode":  # that alone answers what it has become
            return _Rows()
        if name == "data_version":
            return _Rows([(self._disk.version,)])
        if name == "query_only":
            return _Rows([(int(self._readonly),)])
        if name.startswith("wal_checkpoint"):
            return _Rows([(0, 0, 0)])
        return _Rows([(_SETTINGS[name],)])

    def _let_go(self) -> None:
        self._is_reading = False
        if self._copy is not None:
            self._disk.give_back(self._copy)
            self._copy = None


@final
class _Rows:
    """An answer that is there already."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any] | None = None, rowcount: int = -1) -> None:
        self._rows = rows or []
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        """Return the first row."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """Return the rest."""
        rows, self._rows = self._rows, []
        return rows

    def __iter__(self) -> Any:
        return iter(self.fetchall())


def _connection(sql: Sql, *, readonly: bool = False) -> sqlite3.Connection:
    # A copy forgets each statement at once: one that outlived `deserialize` would run on freed tables.
    statements = 0 if readonly else 512
    connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=statements
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA page_size = 512")  # an image has as many pages as tables and indexes, mostly empty
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    sql.serve(connection)
    if readonly:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("CREATE TEMP TABLE er_nothing(number INTEGER PRIMARY KEY)")
    return connection


def _error(code: tuple[str, int], reason: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(reason)
    error.sqlite_errorname, error.sqlite_errorcode = code
    return error
