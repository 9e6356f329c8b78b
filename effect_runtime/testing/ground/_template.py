"""What a database holds, so that it can be brought back: as an image, and where that is enough, as rows.

Rows are several times quicker: no statement has to be prepared anew. Knows connections, and nothing of who uses them.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final, TypeAlias

from attrs import frozen

Fill: TypeAlias = tuple[str, tuple[tuple[Any, ...], ...]]
"""A statement, and the parameters of each time that it is run."""

_NUMBERS: Final = "sqlite_sequence"
"""Where SQLite keeps the highest number that each AUTOINCREMENT has given."""

_ROWID: Final = ("rowid", "_rowid_", "oid")
"""The names of a row's own number; a column of the user's may have taken one."""


@frozen
class Template:
    """A committed database: its image, and if it `is_plain` the rows of each table with how to put them back."""

    image: bytes
    schema_version: int
    is_plain: bool
    empty: tuple[str, ...]
    fill: tuple[Fill, ...]


def schema_version(connection: sqlite3.Connection) -> int:
    """Return a number that differs after each change of the schema."""
    (version,) = connection.execute("PRAGMA schema_version").fetchone()
    return int(version)


def template_of(connection: sqlite3.Connection, image: bytes) -> Template:
    """Return what is committed, whose image it is."""
    tables = {row["name"]: row for row in connection.execute("PRAGMA main.table_list") if row["type"] != "view"}
    tables.pop("sqlite_schema", None)
    fill = _fillings(connection, tables)
    empty = tuple(f'DELETE FROM "{table}"' for table in tables)
    return Template(image, schema_version(connection), fill is not None, empty, tuple(fill or ()))


def refill(connection: sqlite3.Connection, template: Template) -> None:
    """Empty every table of a plain template and fill it again."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN")
    for statement in template.empty:
        connection.execute(statement)
    for statement, rows in template.fill:
        connection.executemany(statement, rows)
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")


def _fillings(connection: sqlite3.Connection, tables: dict[str, Any]) -> list[Fill] | None:
    """Return how to fill all tables; None where rows alone do not say what is there."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'trigger'").fetchone() is not None:
        return None
    found: list[Fill] = []
    for table, row in sorted(tables.items(), key=lambda each: each[0] == _NUMBERS):
        if table == _NUMBERS:  # last, and emptied again: to fill the others has counted
            found.append((f'DELETE FROM "{table}"', ((),)))
        filling = _filling(connection, table, has_number=not row["wr"]) if row["type"] == "table" else None
        if filling is None:
            return None
        found.append(filling)
    return [filling for filling in found if filling[1]]


def _filling(connection: sqlite3.Connection, table: str, *, has_number: bool) -> Fill | None:
    """Return how to fill a table. Its rows keep their own numbers: the next one, and their order, follow from those."""
    columns = connection.execute(f'PRAGMA table_xinfo("{table}")').fetchall()
    names = [row["name"] for row in columns]
    taken = {name.lower() for name in names}
    number = next((name for name in _ROWID if name not in taken), None) if has_number else None
    if any(row["hidden"] for row in columns) or (has_number and number is None):
        return None
    listed = [*([number] if number else []), *(f'"{name}"' for name in names)]
    try:
        rows = tuple(tuple(row) for row in connection.execute(f'SELECT {", ".join(listed)} FROM "{table}"'))
    except sqlite3.OperationalError:  # text that is none: it can be stored, and not be read
        return None
    return f'INSERT INTO "{table}"({", ".join(listed)}) VALUES ({", ".join("?" * len(listed))})', rows
