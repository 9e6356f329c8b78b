"""A program that migrates one file after another, each in a child of its own that is killed a statement later.

`python -m tests.outbox.stores.migrating FOLDER` leaves `1.db`, killed before its first statement, and so on; the last
one came to its end. A process of its own, because a fork must not meet threads.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from effect_runtime.outbox.sqlite._connection import connect
from effect_runtime.outbox.sqlite._migration import migrate
from effect_runtime.outbox.sqlite._schema import SCHEMA
from tests.outbox.stores.world import NOON, ROWS

STEPS = (*SCHEMA, ROWS)


def migrate_until(statement: int, path: Path) -> None:
    """Migrate a file and be killed before one statement; what a process has written outlives it, synced or not."""
    left = statement

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.set_trace_callback(count)
        migrate(connection, STEPS, store=str(path), now=NOON)


def main(folder: Path) -> None:
    """Kill one child at each statement, until one has no statement left at which to be killed."""
    for statement in range(1, 1_000):
        child = os.fork()
        if child == 0:
            migrate_until(statement, folder / f"{statement}.db")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
