"""Connections to one SQLite file: how they are opened, what is asserted of them, and what their errors mean.

Every setting on which durability depends is read back; a file that does not keep it is refused.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final, Protocol, final

from attrs import frozen

from effect_runtime.errors import Code, Fault, StoreDown, StoreForked, StoreUnsafe, raise_faults

OLDEST: Final = (3, 37, 0)

# The transaction, or the file itself, is what failed: nothing that the statement's author could have written better.
_TROUBLE: Final = frozenset(
    {"SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_CORRUPT", "SQLITE_NOTADB",
     "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_PERM"}
)  # fmt: skip
_DURABLE: Final = (("journal_mode", "wal", "WAL"), ("synchronous", 2, "FULL"), ("foreign_keys", 1, "ON"))
_BUSY: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})


def require_version(found: tuple[int, int, int]) -> None:
    """Refuse an SQLite library that lacks STRICT tables and RETURNING."""
    if found < OLDEST:
        wanted, has = (".".join(str(part) for part in version) for version in (OLDEST, found))
        fix = "Use a Python that is built with a newer SQLite; `sqlite3.sqlite_version` tells which one it has."
        problem = f"Version {has} is loaded and {wanted} is the oldest that works."
        raise_faults("SQLite", [Fault(Code.ER404, place="sqlite3", problem=problem, fix=fix)])


class Medium(Protocol):
    """What an SQLite store is kept on.

    1. `connect` opens one more connection, which begins and ends its transactions by hand and never waits for a lock
    by itself; its rows are `sqlite3.Row`. 2. It gives what `make_durable` asserts. 3. `identity_of` tells a database
    from another of its name; None where there is none. Both are blocking, and short.
    """

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open one more connection."""
        ...

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Return what tells the database from another of its name."""
        ...


@final
@frozen
class Files:
    """Files on a disk."""

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open one more connection."""
        return connect(path)

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Return what tells the file from another of its name."""
        return identity_of(str(path))


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that begins and ends its transactions by hand and never waits for a lock by itself."""
    # No wait of SQLite's own: it sleeps in the event loop, and with an unfair back-off. No transactions of the driver's
    # own: they begin deferred, and one that turns from reading to writing fails at once. Another thread may run a
    # COMMIT or a long read, never two at a time. Parsing a statement costs more than running a short one, so all of
    # them stay prepared.
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=512, uri=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def make_durable(connection: sqlite3.Connection, store: str) -> None:
    """Set what a writer needs and assert that the file keeps it."""
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL would take back commits that were answered when the power fails: a log is then synced at checkpoints only.
    connection.execute("PRAGMA synchronous = FULL")
    # Off unless it is said, and for each connection anew.
    connection.execute("PRAGMA foreign_keys = ON")
    # Checkpoints are ours: an automatic one would run inside somebody's COMMIT.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    # What savepoints set aside is short-lived: it need not touch a disk.
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16384")
    # After one large transaction the log's file would keep that size for good.
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    for setting, wanted, meaning in _DURABLE:
        found = connection.execute(f"PRAGMA {setting}").fetchone()[0]
        if found != wanted:
            raise StoreUnsafe(store, setting=setting, wanted=meaning, found=str(found))


def make_readonly(connection: sqlite3.Connection) -> None:
    """Make a connection unable to write."""
    connection.execute("PRAGMA query_only = ON")


def _primary(error: sqlite3.Error) -> str:
    """Return the name of the primary result code: `SQLITE_IOERR` for `SQLITE_IOERR_WRITE`."""
    # What the module raises by itself, for a wrong parameter, has no code.
    name: str = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection or process holds the lock."""
    return _primary(error) in _BUSY


def is_refused_write(error: sqlite3.Error) -> bool:
    """Tell whether a connection that only reads was asked to write."""
    return _primary(error) == "SQLITE_READONLY"


def is_interrupted(error: sqlite3.Error) -> bool:
    """Tell whether a statement was stopped from outside."""
    return _primary(error) == "SQLITE_INTERRUPT"


def down(store: str, error: sqlite3.Error) -> StoreDown | None:
    """Return what to raise for trouble with the file; None where the statement itself is at fault."""
    return StoreDown(store, reason=str(error)) if _primary(error) in _TROUBLE else None


def identity_of(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another of its name, or None when there is no such file. Blocking, and short."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def expect_process(store: str, opened_in: int) -> None:
    """Refuse to go on in a forked child: sharing a handle can damage the file."""
    # Locks are not inherited: a child that goes on with its parent's handle believes in some that it does not have.
    if os.getpid() != opened_in:
        raise StoreForked(store, opened_in=opened_in, used_in=os.getpid())
