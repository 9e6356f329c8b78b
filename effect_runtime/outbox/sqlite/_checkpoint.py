"""Copying the write-ahead log back into the file, off the commit path.

A PASSIVE checkpoint on a thread and connection of its own does the bulk while units go on. Under steady writing it
never catches up with the last pages, so the log would never be reused: when it stays long, a second, short one runs
between two batches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import final

from effect_runtime.outbox.sqlite._connection import connect
from effect_runtime.outbox.sqlite._thread import Loop, Outcome, Thread


@final
class Checkpointer:
    """Owns a thread and a connection; `after` is the number of changed rows that is worth a checkpoint."""

    def __init__(self, path: Path, writer: sqlite3.Connection, writing: Thread, *, loop: Loop, after: int) -> None:
        # Of its own: on the writer's it would be a step between others' statements.
        self._connection = connect(path)
        self._writer = writer
        self._writing = writing
        self._thread = Thread(loop, name=f"checkpoints of {path.name}")
        self._after = after
        self._changed = 0
        self._running = False
        self._falls_behind = False

    def noted(self, changed: int, *, then: Callable[[], None]) -> bool:
        """Take in the rows that a batch has changed; True when the writer pauses, and `then` is called after it."""
        self._changed += changed
        # Between two batches nobody writes, so this one reaches the end, and the next write begins the log anew.
        if self._falls_behind:
            self._falls_behind = False
            self._writing.submit(lambda: _passive(self._writer), lambda _: then())
            return True
        if self._changed >= self._after and not self._running:
            self._changed = 0
            self._running = True
            self._thread.submit(lambda: _passive(self._connection), self._done)
        return False

    def _done(self, outcome: Outcome) -> None:
        self._running = False
        # Early rather than late: writing over an old log is several times quicker than making the file longer.
        self._falls_behind = (outcome.value or 0) > self._after

    def stop(self) -> None:
        """End the thread and close the connection. Blocking."""
        self._thread.stop()
        self._connection.close()


def _passive(connection: sqlite3.Connection) -> int:
    """Copy what nobody needs from the log any more, and return the log's length in pages."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def truncate(connection: sqlite3.Connection) -> None:
    """Empty the log if nobody else uses the file; otherwise leave it to the last one who does."""
    # Waits for nobody, as no connection does: with a reader elsewhere it does what it can.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
