"""The SQLite store as a value for the composition root: a file, and how it is to be used.

Opening it checks the library and the file's durability, migrates the schema, and starts the threads that closing it
joins again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeVar, final

import anyio

from effect_runtime.errors import MigrationsPending, SchemaDiffers, SchemaTooNew, StoreDown
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite._checkpoint import Checkpointer, truncate
from effect_runtime.outbox.sqlite._comparison import differences, intolerable
from effect_runtime.outbox.sqlite._connection import (
    Files,
    Medium,
    down,
    is_busy,
    make_durable,
    make_readonly,
    require_version,
)
from effect_runtime.outbox.sqlite._migration import Migration, migrate, pending, script
from effect_runtime.outbox.sqlite._open import OpenSqlite
from effect_runtime.outbox.sqlite._readers import Readers
from effect_runtime.outbox.sqlite._schema import SCHEMA
from effect_runtime.outbox.sqlite._session import Statements
from effect_runtime.outbox.sqlite._tempo import Tempo
from effect_runtime.outbox.sqlite._thread import Loop, Thread
from effect_runtime.outbox.sqlite._writer import BusyWait, Pace, Writer

T = TypeVar("T")

_CLOSING: Final = timedelta(seconds=60)


@final
class SqliteStore:
    """One SQLite file, described and not yet open. Several processes may open the same one.

    `migrations` are the user's own, run after the library's; with `migrate=False` a file that lacks some is refused.
    `statements="thread"` takes short statements off the event loop too, at a thread hop each. `commits="adaptive"` runs
    a lone unit's COMMIT in the loop as long as the last ones took less than half a millisecond, and any other on a
    thread; "thread" never lets one in the loop; "inline" keeps all there and starts no thread, unless statements have
    one: then COMMITs share it. `readers` bounds the read connections, `batch` the units that share a COMMIT. `busy` is
    how long a unit waits for other processes, `verdict` how long a caller waits for its COMMIT. `event_limit` is the
    largest payload of an event in bytes; `checkpoint_after` counts changed rows.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        migrations: Sequence[Migration] = (),
        migrate: bool = True,
        statements: Literal["inline", "thread"] = "inline",
        commits: Literal["adaptive", "thread", "inline"] = "adaptive",
        readers: int = 4,
        batch: int = 128,
        busy: timedelta = timedelta(seconds=30),
        verdict: timedelta = timedelta(seconds=60),
        event_limit: int = 1 << 20,
        checkpoint_after: int = 1000,
    ) -> None:
        self._path = Path(path)
        self._migrations = (*SCHEMA, *migrations)
        self._migrate = migrate
        self._statements = statements
        self._commits = commits
        self._readers = readers
        self._pace = Pace(batch=batch, busy=busy, verdict=verdict)
        self._event_limit = event_limit
        self._checkpoint_after = checkpoint_after
        self._medium: Medium = Files()

    @property
    def name(self) -> str:
        """Return the file's name."""
        return str(self._path)

    def __repr__(self) -> str:
        return f"SqliteStore({self.name!r})"

    def on(self, medium: Medium) -> SqliteStore:
        """Return the same store kept on another medium, with every statement and every COMMIT in the event loop."""
        store = copy(self)
        store._medium = medium
        store._statements = store._commits = "inline"
        return store

    def pending(self) -> tuple[Migration, ...]:
        """Return the migrations that opening the store would run, in their order. Blocking; changes nothing."""
        return self._asked(lambda connection: pending(connection, self._migrations, store=self.name))

    def plan(self) -> str:
        """Return every statement that opening the store would run, as text. Blocking; changes nothing."""
        return script(self.pending())

    async def apply(self, host: Host) -> tuple[Migration, ...]:
        """Run what is pending, waiting while other processes use the file, and return what was run.

        Each migration is there whole or not at all, whenever the process dies. Raises as opening the store does.
        """
        require_version(sqlite3.sqlite_version_info)
        with ExitStack() as resources:
            return await self._prepare(self._connect(resources), host, migrate_it=True)

    def verify(self) -> None:
        """Compare the file with what its migrations make of an empty one. Blocking; changes nothing.

        Raises one `errors.SchemaDiffers` with every difference. What steps of a newer version have added is none, as
        long as this one can work beside it.
        """
        found = self._asked(lambda connection: differences(connection, self._migrations))
        if found:
            raise SchemaDiffers(self.name, differences=found)

    def _asked(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the file as it is; one that is not there yet is an empty one."""
        exists = self._medium.identity_of(self._path) is not None
        try:
            with closing(self._medium.connect(self._path) if exists else sqlite3.connect(":memory:")) as connection:
                make_readonly(connection)
                return question(connection)
        except sqlite3.Error as error:
            raise (down(self.name, error) or error) from error

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[OpenSqlite]:
        """Open the store, migrate it, and close it on the way out, when its last commit is decided."""
        require_version(sqlite3.sqlite_version_info)
        with ExitStack() as resources:
            writing = self._connect(resources)
            await self._prepare(writing, host, migrate_it=self._migrate)
            store, writer = self._assemble(resources, writing, host)
            try:
                yield store
            finally:
                # First, so that nobody comes in while the writer waits for its last verdict.
                store.close()
                await writer.close()
                # Shielded: a thread or a connection that is left behind keeps the file's locks. Off the loop: joining
                # and emptying the log may take long.
                with anyio.move_on_after(_CLOSING.total_seconds(), shield=True):
                    await host.blocking.offload(resources.close)

    def _assemble(self, resources: ExitStack, writing: sqlite3.Connection, host: Host) -> tuple[OpenSqlite, Writer]:
        """Put an open store together around its writer connection; `resources` ends the threads that it starts."""
        loop = Loop()
        thread, checkpointer = self._start(resources, writing, loop)
        statements, in_loop = Statements(self.name), self._statements == "inline"
        writer = Writer(
            self.name,
            writing,
            host,
            self._pace,
            loop=loop,
            thread=thread,
            checkpointer=checkpointer,
            tempo=Tempo() if self._commits == "adaptive" and in_loop else None,
            identity=lambda: self._medium.identity_of(self._path),
        )
        readers = Readers(
            self._path,
            self.name,
            host,
            statements,
            self._pace,
            limit=self._readers,
            inline=in_loop,
            medium=self._medium,
        )
        resources.callback(readers.close)
        # Not one of the readers: those are lent for as long as a query likes, and the relay asks all the time.
        probe = self._connect(resources)
        make_readonly(probe)
        store = OpenSqlite(
            self.name,
            host,
            writer,
            readers,
            statements,
            probe=probe,
            event_limit=self._event_limit,
            thread=None if in_loop else thread,
        )
        return store, writer

    def _connect(self, resources: ExitStack) -> sqlite3.Connection:
        try:
            connection = self._medium.connect(self._path)
        except sqlite3.Error as error:
            raise (down(self.name, error) or error) from error
        resources.callback(connection.close)
        return connection

    def _start(
        self, resources: ExitStack, writing: sqlite3.Connection, loop: Loop
    ) -> tuple[Thread | None, Checkpointer | None]:
        """Start the threads; what is registered first is closed last, so the log is emptied when all have ended."""
        resources.callback(_leave, writing)
        if self._commits == "inline" and self._statements == "inline":
            writing.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_after}")
            return None, None
        thread = Thread(loop, name=f"commits of {self._path.name}")
        resources.callback(thread.stop)
        checkpointer = Checkpointer(self._path, writing, thread, loop=loop, after=self._checkpoint_after)
        resources.callback(checkpointer.stop)
        return thread, checkpointer

    async def _prepare(self, connection: sqlite3.Connection, host: Host, *, migrate_it: bool) -> tuple[Migration, ...]:
        """Make the file durable and its schema current, waiting while other processes do the same."""
        await self._patiently(host, lambda: make_durable(connection, self.name))
        waiting = await self._patiently(host, lambda: pending(connection, self._migrations, store=self.name))
        if waiting and not migrate_it:
            raise MigrationsPending(self.name, pending=[str(migration) for migration in waiting])
        # A newer version may have migrated it while this one was rolled out, or rolled back.
        found = await self._patiently(host, lambda: intolerable(connection, self._migrations))
        if found:
            raise SchemaTooNew(self.name, differences=found)
        if not waiting:
            return ()
        now = host.time.now()
        return await self._patiently(host, lambda: migrate(connection, self._migrations, store=self.name, now=now))

    async def _patiently(self, host: Host, step: Callable[[], T]) -> T:
        wait = BusyWait(self.name, host, self._pace.busy)
        while True:
            try:
                # On a thread: a migration may rewrite a large table.
                return await host.blocking.offload(step)
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise (down(self.name, error) or error) from error
            except UnicodeDecodeError as error:  # in the very words in which SQLite says that the schema is damaged
                raise StoreDown(self.name, reason=f"what is stored cannot be read ({error})") from error
            await wait.again()


def _leave(connection: sqlite3.Connection) -> None:
    """Undo what is left open and empty the log: best effort, on the way out."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        truncate(connection)
