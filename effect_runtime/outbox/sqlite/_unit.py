"""One unit of work on SQLite: a place in a batch. All but the first of a batch run between a savepoint and its release.

It opens at its first use. What it may tell, and when, follows from what it read: a unit that saw changes of its batch
which are not durable yet answers only when they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, final

from effect_runtime.dispatch import Answer, Ledger
from effect_runtime.effect import Raised
from effect_runtime.errors import SavepointGone, UnitEnded
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite._agenda_unit import SqliteAgenda
from effect_runtime.outbox.sqlite._connection import down
from effect_runtime.outbox.sqlite._inbox_unit import SqliteInbox
from effect_runtime.outbox.sqlite._ledger import stored_answer, write_ledger
from effect_runtime.outbox.sqlite._session import SqliteSession, Statements
from effect_runtime.outbox.sqlite._thread import Thread
from effect_runtime.outbox.sqlite._writer import Batch, Writer

P = ParamSpec("P")
T = TypeVar("T")

_EMPTY = Ledger()


@final
class SqliteUnit:
    """A unit of work; from `begin` until it ends it has the writer connection to itself."""

    def __init__(
        self,
        writer: Writer,
        host: Host,
        statements: Statements,
        *,
        alone: bool,
        event_limit: int,
        thread: Thread | None,
    ) -> None:
        self._writer = writer
        self._host = host
        self._alone = alone
        self._event_limit = event_limit
        self._thread = thread
        self._batch: Batch | None = None
        self._ended = False
        # Others of the batch have changed what this unit sees, and their changes are not durable yet.
        self._read_others = False
        self._savepoints: list[int] = []
        self._opened_savepoints = 0
        self._session = SqliteSession(self, statements)

    @property
    def session(self) -> SqliteSession:
        """Return the session, through which adapters read and write in this unit."""
        return self._session

    @property
    def inbox(self) -> SqliteInbox:
        """Return the inbox inside this unit."""
        return SqliteInbox(self, self._host)

    @property
    def agenda(self) -> SqliteAgenda:
        """Return the agenda inside this unit."""
        return SqliteAgenda(self, self._host)

    @property
    def is_open(self) -> bool:
        """Tell whether the transaction has been opened and has not ended."""
        return self._batch is not None and not self._ended

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception | Raised):
            # An answer is told when what it was read from is durable; if that is lost, the unit must run again.
            await self.rollback()
        else:
            # Cancelled: nobody is told anything, so there is nothing to wait for.
            self.end()

    async def begin(self) -> None:
        """Open the transaction unless it is open; the wait for its turn can be cancelled."""
        if self._ended:
            raise UnitEnded(self._writer.store, used="A unit of work")
        if self._batch is None:
            batch = await self._writer.take(alone=self._alone)
            self._batch = batch
            # Units of the batch that undid their own changes are no members: there is nothing of theirs to see.
            self._read_others = batch.members > 0
            if self._read_others:
                self._step("SAVEPOINT er_unit")
        elif self._batch.over:
            # Never let a statement reach the connection outside a transaction: it would commit by itself.
            raise self._writer.lost(self._batch) from self._batch.error

    async def run(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step on the writer connection, in this unit's transaction."""
        if self._batch is None or self._ended or self._batch.over:
            await self.begin()
        try:
            if self._thread is None:
                return self._host.blocking.run(step, self._writer.connection, *args, **kwargs)
            return await self._thread.call(partial(step, self._writer.connection, *args, **kwargs))
        except sqlite3.Error as error:
            trouble = self._trouble(error)
            if trouble is None:
                raise
            raise trouble from error

    def _step(self, statement: str) -> None:
        """Run a statement of the unit itself, at once: between it and its bookkeeping nobody may be cancelled."""
        try:
            self._host.blocking.run(self._writer.connection.execute, statement)
        except sqlite3.Error as error:
            raise (self._trouble(error) or error) from error

    def _trouble(self, error: sqlite3.Error) -> Exception | None:
        """Return what an error means for the unit; None where only the statement failed."""
        batch = self._batch
        # A full disk or a failed write may end the transaction behind our back. The next statement would then commit by
        # itself, so everybody in the batch is told now.
        if batch is not None and not self._writer.connection.in_transaction:
            self._writer.lose(batch, error)
            return self._writer.lost(batch)
        return down(self._writer.store, error)

    async def claim(self, command_id: str, fingerprint: bytes) -> Answer | None:
        """Claim a command id, or return what its twin has answered.

        The open transaction is the claim: a twin, in this process or another, cannot write before it has ended. So
        the id becomes a row with its answer, and a claim that ends without one leaves nothing behind.
        """
        return await self.run(stored_answer, command_id)

    async def savepoint(self) -> int:
        """Open a savepoint; its number is never given twice in one unit."""
        await self.begin()
        number = self._opened_savepoints + 1
        self._step(f"SAVEPOINT er_{number}")
        # After the statement: a savepoint that SQLite refused has no number.
        self._opened_savepoints = number
        self._savepoints.append(number)
        return number

    async def release(self, savepoint: int) -> None:
        """End a savepoint, and those inside it, and keep what was done."""
        self._expect_savepoint(savepoint)
        self._step(f"RELEASE er_{savepoint}")
        self._forget(savepoint)

    async def rollback_to(self, savepoint: int) -> None:
        """End a savepoint, and those inside it, and undo what was done."""
        self._expect_savepoint(savepoint)
        self._step(f"ROLLBACK TO er_{savepoint}")
        # A savepoint is still open after a rollback to it.
        self._step(f"RELEASE er_{savepoint}")
        self._forget(savepoint)

    def _expect_savepoint(self, savepoint: int) -> None:
        batch = self._batch
        if self._ended or batch is None:
            raise UnitEnded(self._writer.store, used="A savepoint")
        if batch.over:
            raise self._writer.lost(batch) from batch.error
        if savepoint not in self._savepoints:
            raise SavepointGone(self._writer.store, savepoint=savepoint)

    def _forget(self, savepoint: int) -> None:
        del self._savepoints[self._savepoints.index(savepoint) :]

    async def commit(self, ledger: Ledger) -> tuple[Envelope, ...]:
        """Write the ledger and wait until the batch is durable; on any trouble before that nothing is kept."""
        # Nothing was read and nothing is to be written: no turn, no transaction.
        if self._batch is None and ledger == _EMPTY and not self._ended:
            self._ended = True
            return ()
        try:
            events = await self.run(
                write_ledger,
                ledger,
                store=self._writer.store,
                event_limit=self._event_limit,
                now=self._host.time.now(),
            )
            if self._read_others:
                self._step("RELEASE er_unit")
        except BaseException:
            self.end()
            raise
        batch = self._batch
        assert batch is not None  # `run` opened it
        self._ended = True
        # Ended first: the wait for the verdict may be long, and others write meanwhile.
        self._writer.leave(batch, kept=True)
        await self._writer.verdict(batch)
        return events

    async def rollback(self) -> None:
        """Undo everything; return when what this unit has read is durable, or raise `TransactionLost`."""
        batch = self.end()
        if batch is not None and self._read_others:
            await self._writer.verdict(batch)

    def end(self) -> Batch | None:
        """Undo everything at once and hand the turn on; nothing happens when the unit has ended."""
        batch, ended = self._batch, self._ended
        self._ended = True
        if batch is None or ended:
            return None
        if not batch.over:
            self._undo(batch)
        self._writer.leave(batch, kept=False)
        return batch

    def _undo(self, batch: Batch) -> None:
        """Undo what this unit did; as the first of its batch it has the transaction to itself and no savepoint."""
        if not self._read_others:
            self._writer.undo(batch, None)
            return
        try:
            self._writer.connection.execute("ROLLBACK TO er_unit")
            self._writer.connection.execute("RELEASE er_unit")
        except sqlite3.Error as error:
            # What cannot be undone by itself is undone with the whole batch.
            self._writer.undo(batch, error)
