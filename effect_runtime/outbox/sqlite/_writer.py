"""The one writer connection: whose turn it is, which units share a transaction, and who owns its COMMIT.

Units run strictly one after another. A batch is the unit that opened the
transaction and those that were waiting when it had ended, up to a bound; it is made durable by one COMMIT on the
store's own thread, and what it decided is told to all of them at once. Where units came one by one, nobody is
waited for. Knows no table and no ledger.

State       | take           | leave                  | what follows
idle        | held           | -                      |
held        | wait           | gathering, or the next | the next waiting unit, as long as the batch takes some
gathering   | wait           | -                      | the next waiting unit, or committing
committing  | wait           | -                      | told; a new batch for those waiting, or idle
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import final

import anyio
from anyio import Event
from anyio.lowlevel import cancel_shielded_checkpoint
from attrs import field, frozen, mutable

from effect_runtime.errors import CommitUndecided, StoreClosed, StoreConflict, StoreDown, TransactionLost
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite._checkpoint import Checkpointer
from effect_runtime.outbox.sqlite._connection import down, expect_process, is_busy
from effect_runtime.outbox.sqlite._tempo import Tempo
from effect_runtime.outbox.sqlite._thread import Loop, Outcome, Thread, wait_for


@frozen(kw_only=True)
class Pace:
    """How a store spends its time: what shares a COMMIT, and how long it waits for others."""

    batch: int = 128
    busy: timedelta = timedelta(seconds=30)
    verdict: timedelta = timedelta(seconds=60)


@final
@mutable(eq=False)
class Batch:
    """Units that share one transaction, and its verdict: durable, or undone with `error` as the reason."""

    alone: bool
    changes: int
    members: int = 0
    room: int | None = None
    over: bool = False
    committing: bool = False
    error: BaseException | None = None
    at_once: bool = False
    _decided: Event | None = None

    def end(self, error: BaseException | None) -> None:
        """Tell the verdict to everybody who waits for it."""
        self.error = error
        self.over = True
        if self._decided is not None:
            self._decided.set()

    @property
    def decided(self) -> Event:
        """Return what tells that it is over; made when somebody has to wait, which a lone unit often need not."""
        if self._decided is None:
            self._decided = Event()
            if self.over:
                self._decided.set()
        return self._decided


@frozen(eq=False)
class _Ticket:
    alone: bool
    called: Event = field(factory=Event)


@final
class Writer:
    """Owns the writer connection of an open store."""

    def __init__(
        self,
        store: str,
        connection: sqlite3.Connection,
        host: Host,
        pace: Pace,
        *,
        loop: Loop,
        thread: Thread | None,
        checkpointer: Checkpointer | None,
        tempo: Tempo | None,
        identity: Callable[[], tuple[int, int] | None],
    ) -> None:
        self.store = store
        self.connection = connection
        self._host = host
        self._pace = pace
        self._thread = thread
        self._loop = loop
        self._process = os.getpid()
        self._identity_now = identity
        self._identity = identity()
        self._waiting: deque[_Ticket] = deque()
        self._batch: Batch | None = None
        self._idle = True
        self._crowded = False
        self._closed = False
        self._checkpointer = checkpointer
        self._tempo = tempo
        self._took = 0.0

    @property
    def resting(self) -> sqlite3.Connection | None:
        """Return the connection while no unit, commit or checkpoint uses it: its cache knows what it has written."""
        return self.connection if self._idle and not self._closed else None

    async def take(self, *, alone: bool) -> Batch:
        """Wait for the turn and return the batch that the caller is now part of, its transaction open.

        Raises `StoreConflict` when another process holds the file for longer than the store waits.
        """
        expect_process(self.store, self._process)
        self._expect_open()
        if self._idle:
            self._idle = False
        else:
            await self._queue(_Ticket(alone))
        if self._batch is not None:
            return self._batch
        try:
            self._expect_open()
            if not self._opens():
                await self._open_patiently()
        except BaseException:
            self._go_on()
            raise
        # Counts what the connection ever changed: the difference at the COMMIT is what this batch has.
        self._batch = Batch(alone, self.connection.total_changes)
        return self._batch

    async def _queue(self, ticket: _Ticket) -> None:
        self._waiting.append(ticket)
        try:
            await ticket.called.wait()
        except BaseException:
            if ticket.called.is_set():
                # The turn came in the very moment in which we were cancelled.
                self._pass_on()
            else:
                self._waiting.remove(ticket)
            raise

    def _opens(self) -> bool:
        """Begin a transaction; False while another process writes."""
        try:
            # One that could not be undone must never become part of the next: its units were told that it is lost.
            self._roll_back()
            self._host.blocking.run(self.connection.execute, "BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if not is_busy(error):
                raise (down(self.store, error) or error) from error
            return False
        return True

    async def _open_patiently(self) -> None:
        # We keep the turn meanwhile: one of us at a time competes with other processes.
        wait = BusyWait(self.store, self._host, self._pace.busy)
        while True:
            await wait.again()
            self._expect_open()
            if self._opens():
                return

    def _expect_open(self) -> None:
        if self._closed:
            raise StoreClosed(self.store)

    def leave(self, batch: Batch, *, kept: bool) -> None:
        """Hand the turn on; `kept` tells that the unit's changes are to be committed."""
        if kept:
            # Only who keeps something: the next unit needs no savepoint, and waits for no verdict, for those who undid
            # all.
            batch.members += 1
        self._pass_on()

    def _pass_on(self) -> None:
        batch = self._batch
        if batch is None or batch.over:
            self._batch = None
            self._go_on()
        elif batch.alone:
            self._commit(batch)
        elif batch.room is not None:
            self._next_member(batch)
        elif self._crowded:
            # Others were told together with us and are about to ask in this very round of the loop.
            self._loop.soon(self._gather)
        else:
            self._gather()

    def _gather(self) -> None:
        batch = self._batch
        assert batch is not None  # only the unit that ended brought us here, and nobody has had a turn since
        # Fixed now: whoever comes later waits for the next batch, or a steady stream of units would put off this
        # COMMIT.
        batch.room = min(len(self._waiting), self._pace.batch - 1)
        self._next_member(batch)

    def _next_member(self, batch: Batch) -> None:
        if batch.room and self._waiting and not self._waiting[0].alone:
            batch.room -= 1
            self._waiting.popleft().called.set()
        else:
            self._commit(batch)

    def _commit(self, batch: Batch) -> None:
        expect_process(self.store, self._process)
        batch.committing = True
        changed = self.connection.total_changes - batch.changes
        # A transaction that changed nothing has nothing to sync: its COMMIT is not worth a thread.
        if self._thread is not None and changed and not self._is_at_once(batch, changed):
            self._thread.submit(self._commit_now, self._committed)
        else:
            self._committed(Outcome(self._host.blocking.run(self._commit_now), None))

    def _is_at_once(self, batch: Batch, changed: int) -> bool:
        lone = batch.members == 1 and not self._waiting and not self._crowded
        batch.at_once = self._tempo is not None and self._tempo.is_at_once(lone=lone, changed=changed)
        return batch.at_once

    def _commit_now(self) -> sqlite3.Error | None:
        """Make the transaction durable, or undo it and return why. Blocking."""
        monotonic = self._host.time.monotonic
        started = monotonic()
        try:
            # A file that was deleted or replaced under us takes every COMMIT, and keeps none of them.
            if self._identity_now() != self._identity:
                raise sqlite3.OperationalError("its file was deleted or replaced while it was open")
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            # Whatever the ROLLBACK says, the batch must be told now; the next unit undoes what is still there.
            with suppress(sqlite3.Error):
                self._roll_back()
            return error
        finally:
            self._took = monotonic() - started
        return None

    def _committed(self, outcome: Outcome) -> None:
        batch, self._batch = self._batch, None
        assert batch is not None  # nobody has a turn while a commit is under way
        # Before they are told: who waits for a verdict now comes back with the next unit, and then a crowd is worth
        # waiting for.
        self._crowded = batch.members > 1 or bool(self._waiting)
        batch.end(outcome.value or outcome.error)
        changed = self.connection.total_changes - batch.changes
        if self._tempo is not None and changed:
            self._tempo.took(self._took)
        if self._checkpointer is not None and self._checkpointer.noted(changed, then=self._go_on):
            return
        self._go_on()

    def _go_on(self) -> None:
        """Call the next unit, or rest. Of a store that is closed, call all: they are refused."""
        self._batch = None
        self._idle = not self._waiting
        while self._waiting:
            self._waiting.popleft().called.set()
            # One at a time: its leaving calls the next.
            if not self._closed:
                return

    def lose(self, batch: Batch, error: BaseException | None) -> None:
        """Tell everybody in a batch that its transaction has ended, and why."""
        batch.end(error)

    def undo(self, batch: Batch, error: BaseException | None) -> None:
        """Undo a whole batch: it has one unit only, or one that could not be undone alone because of `error`."""
        with suppress(sqlite3.Error):
            self._roll_back()
        self.lose(batch, error)

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    async def verdict(self, batch: Batch) -> None:
        """Return when a batch is durable; raise when it is not, or when nobody can tell in time."""
        if batch.over:
            if not batch.at_once:
                # Nobody else has had a turn. Where this is one of a few in a row, the tempo sees to that.
                await cancel_shielded_checkpoint()
        elif not await wait_for(batch.decided, within=self._pace.verdict.total_seconds()):
            raise CommitUndecided(self.store, waited=self._pace.verdict)
        if batch.error is not None:
            raise self.lost(batch) from batch.error

    def lost(self, batch: Batch) -> Exception:
        """Return what to raise for a batch that was undone."""
        reason = str(batch.error)
        if not batch.alone:
            return TransactionLost(self.store, reason=reason)
        # A deferred constraint speaks at the COMMIT; of a unit that was alone it can only be that unit's own fault.
        if isinstance(batch.error, sqlite3.IntegrityError):
            return batch.error
        return StoreDown(self.store, reason=reason)

    async def close(self) -> None:
        """Refuse new units, and those that wait for a batch to come; wait for the one that is under way.

        One whose unit does not end in time is given up, unless its COMMIT runs: then it keeps its own verdict.
        """
        self._closed = True
        batch = self._batch
        if batch is None:
            return
        with anyio.move_on_after(self._pace.verdict.total_seconds(), shield=True):
            await batch.decided.wait()
        # A COMMIT that runs is not given up: only it knows whether it came through.
        if not batch.over and not batch.committing:
            self.lose(batch, StoreClosed(self.store))


@final
class BusyWait:
    """The wait for a lock that another process holds: short, growing, never in step with others'."""

    def __init__(self, store: str, host: Host, budget: timedelta) -> None:
        self._store = store
        self._host = host
        self._ends = host.time.monotonic() + budget.total_seconds()
        self._pause = 0.0005

    async def again(self) -> None:
        """Wait once more; raise `StoreConflict` when the budget is spent."""
        if self._host.time.monotonic() >= self._ends:
            raise StoreConflict(self._store, reason="another process has held its write lock for too long")
        await self._host.time.sleep(timedelta(seconds=self._pause * (0.5 + self._host.entropy.random())))
        self._pause = min(self._pause * 1.5, 0.02)
