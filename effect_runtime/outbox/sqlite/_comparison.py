"""A file's schema compared with what its migrations make of an empty one.

The expected schema is no second description: the steps that have run are run again, in memory. Where a file has steps
that this code does not know, what they added is none of its business; what they took away or narrowed is. Blocking.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TypeAlias

from effect_runtime.outbox.sqlite._migration import LIBRARY, Migration, applied_checksums, in_order

_Objects: TypeAlias = Mapping[tuple[str, str], str]
"""The statement that made each table, index, view or trigger, by its type and name."""


def differences(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> tuple[str, ...]:
    """Return everything in which a file is not what its migrations, all of them, make of an empty one."""
    applied = applied_checksums(connection)
    return (*_unlike(migrations, applied), *_altered(connection, migrations, applied))


def intolerable(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> tuple[str, ...]:
    """Return what a newer version of the library did to a file that this one cannot work on; nothing without one."""
    applied = applied_checksums(connection)
    ours = [migration for migration in migrations if migration.owner == LIBRARY]
    if not _newer(ours, applied):
        return ()
    return tuple(_altered(connection, ours, applied))


def _unlike(migrations: Sequence[Migration], applied: Mapping[tuple[str, int], bytes]) -> Iterator[str]:
    for migration in in_order(migrations):
        checksum = applied.get((migration.owner, migration.version))
        if checksum is None:
            yield f"migration {migration} has not run"
        elif checksum != migration.checksum:
            yield f"migration {migration} reads differently from the one that has run"


def _newer(migrations: Sequence[Migration], applied: Mapping[tuple[str, int], bytes]) -> bool:
    known = {(migration.owner, migration.version) for migration in migrations}
    owners = {migration.owner for migration in migrations}
    return any(owner in owners for owner, version in applied if (owner, version) not in known)


def _altered(
    connection: sqlite3.Connection, migrations: Sequence[Migration], applied: Mapping[tuple[str, int], bytes]
) -> Iterator[str]:
    """Compare every object that the steps which have run make; what somebody added beside them is theirs."""
    done = [migration for migration in in_order(migrations) if (migration.owner, migration.version) in applied]
    newer = _newer(migrations, applied)
    with closing(sqlite3.connect(":memory:")) as model:
        for migration in done:
            try:
                for statement in migration.statements:
                    model.execute(statement)
            except sqlite3.Error as error:
                yield f"migration {migration} does not run on an empty file: {error}"
                return
        expected, found = _objects(model), _objects(connection)
        for (kind, name), statement in expected.items():
            if (kind, name) not in found:
                yield f"{kind} {name} is missing"
            # ALTER TABLE rewrites the stored statement, so after newer steps columns are compared, not texts.
            elif newer and kind == "table":
                yield from _narrowed(model, connection, name, known=expected)
            elif found[kind, name] != statement:
                yield f"{kind} {name} is not as its migrations left it: {found[kind, name]}"


def _objects(connection: sqlite3.Connection) -> _Objects:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    # The table of migrations is there before the first of them, so none makes it in the model.
    return {(kind, name): " ".join(statement.split()) for kind, name, statement in rows if name != "er_migration"}


def _narrowed(
    model: sqlite3.Connection, connection: sqlite3.Connection, table: str, *, known: _Objects
) -> Iterator[str]:
    """Compare a table that newer steps may have added to: what older statements write and read must be there."""
    expected, found = _columns(model, table), _columns(connection, table)
    for name, column in expected.items():
        if name not in found:
            yield f"column {table}.{name} is missing"
        elif found[name] != column:
            yield f"column {table}.{name} is not what it was"
    for name, (_, required, default, _) in found.items():
        # Our INSERTs do not name it, so each of them would fail.
        if name not in expected and required and default is None:
            yield f"column {table}.{name} is new and has no default"
    # A new table or a plain index costs an older version nothing; a new UNIQUE refuses what it writes.
    for name in _unique_indexes(connection, table):
        if ("index", name) not in known:
            yield f"index {name} forbids rows of {table} that were allowed"


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, tuple[str, int, str | None, int]]:
    """Return type, NOT NULL, default and place in the primary key of each column."""
    rows = connection.execute('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)', (table,))
    return {name: (kind, required, default, key) for name, kind, required, default, key in rows}


def _unique_indexes(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_index_list(?) WHERE \"unique\" AND origin = 'c'", (table,))
    return [name for (name,) in rows]
