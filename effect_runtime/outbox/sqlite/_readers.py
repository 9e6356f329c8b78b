"""Read connections: each session has one to itself, with one snapshot, and cannot write.

Short reads run in the event loop. One that takes many steps is stopped there and begun again on a thread, on the same
snapshot: so nobody has to know beforehand which query is long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar, final

from anyio import CancelScope, Event, Semaphore, create_task_group

from effect_runtime.errors import StoreDown, UnitEnded
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite._connection import (
    Medium,
    down,
    is_busy,
    is_interrupted,
    is_refused_write,
    make_readonly,
)
from effect_runtime.outbox.sqlite._session import SqliteReadSession, Statements
from effect_runtime.outbox.sqlite._writer import BusyWait, Pace

P = ParamSpec("P")
T = TypeVar("T")

# Steps of SQLite's virtual machine, roughly a millisecond's worth.
_SHORT: Final = 20_000


@final
class _Reader:
    """A read connection that notices when it takes long."""

    def __init__(self, connection: sqlite3.Connection, store: str, host: Host, *, inline: bool) -> None:
        self._store = store
        self._host = host
        self._inline = inline
        self._stops = True
        self.connection = connection
        make_readonly(self.connection)
        self.connection.set_progress_handler(lambda: self._stops, _SHORT)

    async def run(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a read, in the loop if it is short."""
        call = partial(step, self.connection, *args, **kwargs)
        try:
            if not self._inline:
                return await self._offload(call)
            try:
                return self._host.blocking.run(call)
            except sqlite3.Error as error:
                if not is_interrupted(error):
                    raise
            # Begun again from its start: an interrupted read leaves nothing behind, and the snapshot is still the same.
            return await self._offload(call)
        except sqlite3.Error as error:
            trouble = None if is_refused_write(error) else down(self._store, error)
            if trouble is None:
                raise
            raise trouble from error

    def at_once(self, statement: str) -> None:
        """Execute a statement that is short for certain: the steps of those before it must not stop it."""
        self._stops = False
        try:
            self.connection.execute(statement).fetchone()
        finally:
            self._stops = True

    async def _offload(self, call: Callable[[], T]) -> T:
        """Run a read on a thread; cancelled, it is stopped there before the cancellation goes on."""
        answers: list[T] = []
        errors: list[Exception] = []

        async def work() -> None:
            with CancelScope(shield=True):
                try:
                    answers.append(await self._host.blocking.offload(call))
                except Exception as error:  # raised where the read was asked for, not as a group
                    errors.append(error)
            done.set()

        done = Event()
        self._stops = False
        async with create_task_group() as tasks:
            tasks.start_soon(work)
            try:
                await done.wait()
            finally:
                # At the end of the read, and at a cancellation: then this is what interrupts the statement on its
                # thread.
                self._stops = True
        if errors:
            raise errors[0]
        return answers[0]


@final
class _Snapshot:
    """One read session's use of a reader: refused once the session has ended."""

    def __init__(self, reader: _Reader, store: str) -> None:
        self._reader: _Reader | None = reader
        self._store = store

    async def run(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a read on this snapshot."""
        if self._reader is None:
            raise UnitEnded(self._store, used="A read session")
        return await self._reader.run(step, *args, **kwargs)

    def end(self) -> None:
        """Refuse everything from now on."""
        self._reader = None


@final
class Readers:
    """Owns the read connections of an open store: opened as they are needed, never more than `limit`."""

    def __init__(
        self,
        path: Path,
        store: str,
        host: Host,
        statements: Statements,
        pace: Pace,
        *,
        limit: int,
        inline: bool,
        medium: Medium,
    ) -> None:
        self._path = path
        self._medium = medium
        self._store = store
        self._host = host
        self._statements = statements
        self._pace = pace
        self._inline = inline
        self._free = Semaphore(limit)
        self._resting: list[_Reader] = []
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SqliteReadSession]:
        """Give one read session on what is committed now."""
        async with self._free:
            reader = self._resting.pop() if self._resting else self._open()
            snapshot = _Snapshot(reader, self._store)
            try:
                await self._begin(reader)
                yield SqliteReadSession(snapshot, self._statements)
            finally:
                snapshot.end()
                self._put_back(reader)

    def _open(self) -> _Reader:
        try:
            connection = self._medium.connect(self._path)
        except sqlite3.Error as error:
            raise (down(self._store, error) or error) from error
        return _Reader(connection, self._store, self._host, inline=self._inline)

    async def _begin(self, reader: _Reader) -> None:
        """Begin a transaction and read something: only then does SQLite fix what is seen."""
        wait = BusyWait(self._store, self._host, self._pace.busy)
        reader.at_once("BEGIN")
        while True:
            try:
                # BEGIN takes no snapshot, the first read does. Any table will do; this one is small and always there.
                reader.at_once("SELECT 1 FROM er_route LIMIT 1")
            except sqlite3.Error as error:
                if not is_busy(error):
                    # A question of our own, which is right: the file is not the one that was opened. Closed, or the
                    # connection would rest and fail again when the right one is back.
                    reader.connection.close()
                    reason = f"what is stored cannot be read ({error})"
                    raise down(self._store, error) or StoreDown(self._store, reason=reason) from error
                await wait.again()
            else:
                return

    def _put_back(self, reader: _Reader) -> None:
        """End the snapshot; a connection that does not take even that is thrown away."""
        try:
            if reader.connection.in_transaction:
                reader.at_once("ROLLBACK")
        except sqlite3.Error:
            reader.connection.close()
        else:
            if self._closed:
                # The store was closed while this session was open: nobody else will.
                reader.connection.close()
            else:
                self._resting.append(reader)

    def close(self) -> None:
        """Close the connections that nobody uses, and each other one when its session ends."""
        self._closed = True
        while self._resting:
            self._resting.pop().connection.close()
