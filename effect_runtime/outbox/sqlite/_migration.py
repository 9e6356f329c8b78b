"""Schema changes, in order, each applied once and never changed afterwards.

The library's own and a user's run under different owners, so their versions do not meet. Blocking: whoever calls
this chooses the thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from attrs import Factory, field, frozen

from effect_runtime.errors import MigrationChanged, MigrationFailed
from effect_runtime.outbox.sqlite._moment import micros

LIBRARY: Final = "effect_runtime"
"""The owner of the library's own steps."""

_LEDGER: Final = """CREATE TABLE IF NOT EXISTS er_migration(
    owner TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, checksum BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (owner, version)) STRICT, WITHOUT ROWID"""


def _as_tuple(statements: Iterable[str]) -> tuple[str, ...]:
    return tuple(statements)


@frozen
class Migration:
    """One step of a schema: statements that run together or not at all.

    Versions count from 1 in each owner's own order. A step that has run must not be edited: write a new one.
    """

    version: int
    name: str
    statements: tuple[str, ...] = field(converter=_as_tuple)
    owner: str = "application"
    checksum: bytes = field(
        init=False, eq=False, repr=False, default=Factory(lambda self: self._digest(), takes_self=True)
    )
    """A digest of the name and of the statements; how they are broken into lines does not count."""

    def _digest(self) -> bytes:
        # Formatters move line breaks, and a file that is well must not be refused for that.
        parts = (" ".join(part.split()) for part in (self.name, *self.statements))
        return blake2b("\0".join(parts).encode(), digest_size=16).digest()

    def __str__(self) -> str:
        return f"{self.owner} {self.version} {self.name}"


def in_order(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Return migrations as they run: the library's first, then the user's, each by its version."""
    return tuple(sorted(migrations, key=lambda each: (each.owner != LIBRARY, each.version)))


def pending(connection: sqlite3.Connection, migrations: Sequence[Migration], *, store: str) -> tuple[Migration, ...]:
    """Return the migrations that have not run, in the order in which they will; changes nothing.

    Raises `MigrationChanged` for one that has run with another text.
    """
    applied = applied_checksums(connection)
    waiting = []
    for migration in in_order(migrations):
        checksum = applied.get((migration.owner, migration.version))
        if checksum is None:
            waiting.append(migration)
        elif checksum != migration.checksum:
            raise MigrationChanged(store, owner=migration.owner, version=migration.version, name=migration.name)
    return tuple(waiting)


def applied_checksums(connection: sqlite3.Connection) -> dict[tuple[str, int], bytes]:
    """Return the checksum of each step that has run, by its owner and version; those that no code knows, too."""
    known = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'er_migration'").fetchone()
    if known is None:
        return {}
    rows = connection.execute("SELECT owner, version, checksum FROM er_migration")
    return {(owner, version): checksum for owner, version, checksum in rows}


def script(migrations: Iterable[Migration]) -> str:
    """Return migrations as one SQL text, to be read before they run."""
    parts = (
        f"-- {migration}\n" + "".join(f"{statement};\n" for statement in migration.statements)
        for migration in migrations
    )
    return "\n".join(parts)


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Migration], *, store: str, now: datetime
) -> tuple[Migration, ...]:
    """Apply what is pending, each migration in a transaction of its own, and return what was applied.

    The caller holds the write lock of nothing: another process may migrate at the same time, and each step runs once.
    """
    done: list[Migration] = []
    while True:
        # One transaction for each step: a process that dies half way leaves a file that any version knows.
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_LEDGER)
            # Inside of the lock, and asked again at each step: another process may have run some since we looked.
            waiting = pending(connection, migrations, store=store)
            if waiting:
                _apply(connection, waiting[0], store=store, now=now)
                done.append(waiting[0])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if not waiting:
            return tuple(done)


def _apply(connection: sqlite3.Connection, migration: Migration, *, store: str, now: datetime) -> None:
    try:
        for statement in migration.statements:
            connection.execute(statement)
    except sqlite3.Error as error:
        raise MigrationFailed(
            store, owner=migration.owner, version=migration.version, name=migration.name, reason=str(error)
        ) from error
    connection.execute(
        "INSERT INTO er_migration(owner, version, name, checksum, at) VALUES (?, ?, ?, ?, ?)",
        (migration.owner, migration.version, migration.name, migration.checksum, micros(now)),
    )
