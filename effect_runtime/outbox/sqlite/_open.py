"""An open SQLite store: every port that dispatch and the outbox ask for, on one writer and some readers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Concatenate, Literal, ParamSpec, TypeVar, final

from effect_runtime.dispatch import AgendaEntry, Answer, AuditEntry, Ledger
from effect_runtime.errors import StoreClosed, StoreDown, TransactionLost
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Claimed, DeadLetter, Kept, Place, Route, Settlement, Sweep, Waiting
from effect_runtime.outbox.sqlite import _agenda, _inbox, _lanes, _ledger, _letters, _retention
from effect_runtime.outbox.sqlite._connection import down, expect_process
from effect_runtime.outbox.sqlite._readers import Readers
from effect_runtime.outbox.sqlite._session import SqliteReadSession, Statements
from effect_runtime.outbox.sqlite._thread import Thread
from effect_runtime.outbox.sqlite._unit import SqliteUnit
from effect_runtime.outbox.sqlite._writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


@final
class OpenSqlite:
    """An open SQLite store. `probe` is a read connection for short questions, asked in the event loop."""

    def __init__(
        self,
        name: str,
        host: Host,
        writer: Writer,
        readers: Readers,
        statements: Statements,
        *,
        probe: sqlite3.Connection,
        event_limit: int,
        thread: Thread | None,
    ) -> None:
        self._name = name
        self._host = host
        self._writer = writer
        self._readers = readers
        self._statements = statements
        self._probe = probe
        self._event_limit = event_limit
        self._thread = thread
        self._process = os.getpid()
        self._closed = False
        self._versions = 0
        self._seen_version = -1

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[SqliteUnit]:
        """Give one unit of work; leaving without `commit` rolls back."""
        self._expect_open()
        return SqliteUnit(
            self._writer,
            self._host,
            self._statements,
            alone=alone,
            event_limit=self._event_limit,
            thread=self._thread,
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqliteReadSession]:
        """Give one read session that sees one consistent snapshot and cannot write."""
        self._expect_open()
        async with self._readers.session() as session:
            yield session

    async def answer(self, command_id: str) -> Answer | None:
        """Read a stored answer, outside any unit."""
        # Each commit empties the cache of every other connection, so the writer's own answers in a fifth of the time.
        return self._ask(self._writer.resting or self._probe, _ledger.stored_answer, command_id)

    async def audit(self, entry: AuditEntry) -> None:
        """Write one audit entry in a transaction of its own and wait until it is durable."""
        await self._write(_ledger.write_audit, entry)

    async def audit_trail(self, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Read the audit's newest entries, oldest first."""
        return self._read(_ledger.read_audit, limit)

    async def register(self, routes: Sequence[Route]) -> None:
        """Remember the routes; known ones are left as they are."""
        # Looked at first: every start of every process registers, and nearly none has anything to write.
        if self._read(_lanes.unknown_routes, routes):
            await self._write(_lanes.register, routes, self._host.time.now())

    async def claim(
        self, *, owner: str, lanes: int, events: int, lease: timedelta, destinations: Sequence[str]
    ) -> tuple[Claimed, ...]:
        """Lend up to `lanes` due lanes of these destinations, each with up to `events` events.

        When none is due, nothing is written and the writers' turn is not asked for.
        """
        due = self._read(_lanes.next_due, destinations)
        if due is None or due > self._host.time.now():
            return ()
        return await self._write(
            _lanes.claim,
            destinations,
            owner=owner,
            lanes=lanes,
            events=events,
            lease=lease,
            now=self._host.time.now(),
        )

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
        """Record outcomes; return the stale ones."""
        if not settlements:
            return ()
        # Drawn here: a step that is made again, alone, must write the same letters.
        letters = [str(self._host.entropy.uuid()) for _ in settlements]
        return await self._write(_settle_all, settlements, letters, self._host.time.now())

    async def next_due(self, destinations: Sequence[str]) -> datetime | None:
        """Return when the next unblocked lane is due or its lease ends; None when nothing waits."""
        return self._read(_lanes.next_due, destinations)

    async def backlog(self, destinations: Sequence[str], *, limit: int) -> int:
        """Count the events that these destinations have not accepted yet, counting no further than `limit`."""
        return self._read(_lanes.backlog, destinations, limit=limit)

    def version(self) -> int:
        """Return a number that grows when any process has committed. Costs a few microseconds."""
        seen = self._read(_data_version)
        # SQLite's number only differs after a commit, it need not grow.
        if seen != self._seen_version:
            self._seen_version = seen
            self._versions += 1
        return self._versions

    async def claim_waiting(
        self, *, owner: str, limit: int, lease: timedelta, subscriptions: Sequence[str]
    ) -> tuple[Waiting, ...]:
        """Lend waiting rows of these subscriptions that are due, each until its lease ends, oldest first."""
        due = self._read(_inbox.next_waiting, subscriptions)
        if due is None or due > self._host.time.now():
            return ()
        now = self._host.time.now()
        return await self._write(_inbox.claim, subscriptions, limit=limit, lease=lease, now=now)

    async def next_waiting(self, subscriptions: Sequence[str]) -> datetime | None:
        """Return when the next waiting row of these is due or its lease ends; None when none will be."""
        return self._read(_inbox.next_waiting, subscriptions)

    async def stale_gaps(self, older_than: timedelta) -> tuple[Waiting, ...]:
        """Return events held for a gap longer than this, for health reports."""
        return self._read(_inbox.stale_gaps, self._host.time.now() - older_than)

    async def claim_agenda(
        self, *, owner: str, limit: int, lease: timedelta, reactions: Sequence[str]
    ) -> tuple[AgendaEntry, ...]:
        """Lend up to `limit` due entries of these reactions; when none is due, nothing is written."""
        due = self._read(_agenda.next_due, reactions)
        now = self._host.time.now()
        if due is None or due > now:
            return ()
        return await self._write(_agenda.claim, reactions, owner=owner, limit=limit, lease=lease, now=now)

    async def next_agenda(self, reactions: Sequence[str]) -> datetime | None:
        """Return when the next entry of these is due or its lease ends; None when none will be."""
        return self._read(_agenda.next_due, reactions)

    async def agenda_backlog(self, reactions: Sequence[str] | None, *, limit: int) -> int:
        """Count entries of these reactions, or of all, counting no further than `limit`."""
        return self._read(_agenda.backlog, reactions, limit=limit)

    async def agenda_entries(
        self, reactions: Sequence[str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> tuple[AgendaEntry, ...]:
        """List entries in the order of adding."""
        return self._read(_agenda.entries, reactions, limit=limit, after=after)

    async def agenda_reactions(self) -> tuple[str, ...]:
        """Return every reaction that has an entry, by name."""
        return self._read(_agenda.reactions)

    async def dead_letters(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first."""
        return self._read(_letters.read_letters, state, limit)

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Read one dead letter."""
        return self._read(_letters.read_letter, id)

    async def open_letters(
        self, *, before: datetime, destination: str | None = None, after: str | None = None, limit: int = 100
    ) -> tuple[str, ...]:
        """Return the ids of open letters, oldest first."""
        return self._read(_letters.read_open, before, destination, after, limit)

    async def close_dead_letter(self, id: str, state: Literal["replayed", "discarded"]) -> bool:
        """Mark a dead letter as replayed or discarded in one transaction with its effect on the lane or key."""
        return await self._write(_close_letter, id, state, self._host.time.now())

    async def purge(self, kept: Kept, before: datetime, *, limit: int, behind: Place = ()) -> Sweep:
        """Remove rows of one kind that were done before a moment; when none is, nothing is written."""
        found = self._read(_retention.look, kept, before, limit=limit, behind=behind)
        removed = await self._write(_retention.remove, kept, before, found.old) if found.old else 0
        return Sweep(removed, found.reached)

    def _read(self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask a short question of what is committed."""
        return self._ask(self._probe, step, *args, **kwargs)

    def _ask(
        self,
        connection: sqlite3.Connection,
        step: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        self._expect_open()
        try:
            return self._host.blocking.run(step, connection, *args, **kwargs)
        except _DAMAGED as error:
            raise self._damage(error) from error

    def _damage(self, error: Exception) -> StoreDown:
        """Say that a question of our own, which is right, was not answered: what is stored is not what we stored."""
        trouble = down(self._name, error) if isinstance(error, sqlite3.Error) else None
        reason = f"what is stored cannot be read ({type(error).__name__}: {error})"
        return trouble or StoreDown(self._name, reason=reason)

    async def _write(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Make one step durable; when its batch is lost to another's trouble, make it again alone."""
        try:
            return await self._write_once(False, step, *args, **kwargs)
        except TransactionLost:
            return await self._write_once(True, step, *args, **kwargs)

    async def _write_once(
        self, alone: bool, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self.unit(alone=alone) as unit:
            try:
                result = await unit.run(step, *args, **kwargs)
            except _DAMAGED as error:
                raise self._damage(error) from error
            await unit.commit(_NOTHING)
        return result

    def _expect_open(self) -> None:
        if self._closed:
            raise StoreClosed(self._name)
        expect_process(self._name, self._process)


_NOTHING = Ledger()

_DAMAGED = (sqlite3.Error, ValueError, TypeError, OverflowError, KeyError)
"""What our own steps raise on a file that somebody else, or a disk, has changed: a missing table, a row of rubbish."""


def _data_version(connection: sqlite3.Connection) -> int:
    # Changed by other connections alone. So it is asked of the probe, which never writes: on the writer our own commits
    # would not show.
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def _settle_all(
    connection: sqlite3.Connection, settlements: Sequence[Settlement], letters: Sequence[str], now: datetime
) -> tuple[Settlement, ...]:
    """Record outcomes one by one, each whole or not at all, and return the stale ones."""
    return tuple(
        settlement
        for settlement, letter in zip(settlements, letters, strict=True)
        if not _lanes.settle(connection, settlement, letter=letter, now=now)
    )


def _close_letter(
    connection: sqlite3.Connection, id: str, state: Literal["replayed", "discarded"], now: datetime
) -> bool:
    letter = _letters.mark_closed(connection, id, state, now)
    if letter is None:
        return False
    side = {"outbox": _lanes, "inbox": _inbox, "agenda": _agenda}[letter.side]
    side.close(connection, letter, replay=state == "replayed", now=now)
    return True
