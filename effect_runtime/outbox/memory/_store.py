"""The memory store: described by a value that keeps its content, opened as often as one likes.

Gives units and read sessions, and answers the relay, the consumer and the operator from the same tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal, TypeVar, final

from attrs import evolve

from effect_runtime.dispatch import AgendaEntry, Answer, AuditEntry
from effect_runtime.errors import StoreClosed, UnitEnded
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Claimed, DeadLetter, Kept, Place, Route, Settlement, Sweep, Waiting
from effect_runtime.outbox.memory import _agenda, _inbox, _lanes, _retention
from effect_runtime.outbox.memory._database import Database
from effect_runtime.outbox.memory._session import MemoryReadSession
from effect_runtime.outbox.memory._turn import Turn
from effect_runtime.outbox.memory._unit import MemoryUnit

T = TypeVar("T")


@final
class MemoryStore:
    """A store for the composition root that keeps everything in this process.

    `event_limit` is the largest payload, in bytes, that an event may have.
    """

    def __init__(self, name: str = "memory", *, event_limit: int = 1 << 20) -> None:
        self._name = name
        self._event_limit = event_limit
        self._database = Database()

    @property
    def name(self) -> str:
        """Return what names this store in messages."""
        return self._name

    def __repr__(self) -> str:
        return f"MemoryStore({self._name!r})"

    def abandon(self) -> None:
        """Undo what is not committed and free the turn, as when the process that wrote has died: for simulations."""
        self._database.journal.undo()
        # A new one: whoever died holding the old one must not hand it on to the living.
        self._database.turn = Turn()

    @property
    def version(self) -> int:
        """Return a number that is another one after each commit that changed something: for simulations."""
        return self._database.journal.version

    def content(self) -> dict[str, list[Any]]:
        """Return the rows of every table of the user's, and the events that left or are to leave: for simulations."""
        return self._database.content()

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[OpenMemory]:
        """Open the store; what earlier openings committed is there."""
        store = OpenMemory(self._name, self._database, host, event_limit=self._event_limit)
        try:
            yield store
        finally:
            store.close()


@final
class OpenMemory:
    """An open memory store, with every port that dispatch and the outbox ask for."""

    def __init__(self, name: str, database: Database, host: Host, *, event_limit: int) -> None:
        self._name = name
        self._database = database
        self._host = host
        self._event_limit = event_limit
        self._closed = False

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[MemoryUnit]:
        """Give one unit of work. Here every unit is alone."""
        return self._unit()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[MemoryUnit]:
        self._expect_open()
        unit = MemoryUnit(self._name, self._database, self._host, event_limit=self._event_limit)
        try:
            yield unit
        finally:
            unit.end(keep=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[MemoryReadSession]:
        """Give one read session on what is committed now."""
        self._expect_open()
        snapshots = self._database.journal.read()
        ended = False

        def check() -> None:
            if ended:
                raise UnitEnded(self._name, used="A read session")

        try:
            yield MemoryReadSession(self._database, snapshots, check)
        finally:
            ended = True
            self._database.journal.forget(snapshots)

    async def answer(self, command_id: str) -> Answer | None:
        """Read a stored answer."""
        self._expect_open()
        known = self._database.journal.committed(self._database.commands).get(command_id)
        if known is None:
            return None
        return Answer(command_id=command_id, fingerprint=known.fingerprint, body=known.body)

    async def audit(self, entry: AuditEntry) -> None:
        """Write one audit entry in a transaction of its own."""
        audit = self._database.audit
        await self._write(lambda: audit.__setitem__(self._database.next_line(), entry))

    async def audit_trail(self, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Read the audit's newest entries, oldest first."""
        self._expect_open()
        lines = self._database.journal.committed(self._database.audit)
        return tuple(lines[number] for number in sorted(lines)[-limit:])

    async def register(self, routes: Sequence[Route]) -> None:
        """Remember the routes; known ones are left as they are."""
        now = self._host.time.now()
        await self._write(lambda: _lanes.register(self._database, routes, now=now))

    async def claim(
        self, *, owner: str, lanes: int, events: int, lease: timedelta, destinations: Sequence[str]
    ) -> tuple[Claimed, ...]:
        """Lend up to `lanes` due lanes of these destinations, each with up to `events` events."""
        return await self._write(
            lambda: _lanes.claim(
                self._database,
                owner=owner,
                lanes=lanes,
                events=events,
                lease=lease,
                destinations=destinations,
                now=self._host.time.now(),
            )
        )

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
        """Record outcomes; return the stale ones."""

        def settle_all() -> tuple[Settlement, ...]:
            now = self._host.time.now()
            return tuple(
                settlement
                for settlement in settlements
                if not _lanes.settle(self._database, settlement, letter=str(self._host.entropy.uuid()), now=now)
            )

        return await self._write(settle_all)

    async def next_due(self, destinations: Sequence[str]) -> datetime | None:
        """Return when the next unblocked lane is due or its lease ends; None when nothing waits."""
        self._expect_open()
        return _lanes.next_due(self._database.journal.committed(self._database.lanes), destinations)

    async def backlog(self, destinations: Sequence[str], *, limit: int) -> int:
        """Count the events that these destinations have not accepted yet, counting no further than `limit`."""
        self._expect_open()
        return _lanes.backlog(self._database.journal.committed(self._database.lanes), destinations, limit=limit)

    def version(self) -> int:
        """Return the number of commits so far."""
        return self._database.journal.version

    async def claim_waiting(
        self, *, owner: str, limit: int, lease: timedelta, subscriptions: Sequence[str]
    ) -> tuple[Waiting, ...]:
        """Lend waiting rows of these subscriptions that are due, oldest first."""
        return await self._write(
            lambda: _inbox.claim(
                self._database, limit=limit, lease=lease, subscriptions=subscriptions, now=self._host.time.now()
            )
        )

    async def next_waiting(self, subscriptions: Sequence[str]) -> datetime | None:
        """Return when the next waiting row of these is due or its lease ends; None when none will be."""
        self._expect_open()
        return _inbox.next_waiting(self._database.journal.committed(self._database.waiting), subscriptions)

    async def stale_gaps(self, older_than: timedelta) -> tuple[Waiting, ...]:
        """Return events held for a gap longer than this, for health reports."""
        self._expect_open()
        waiting = self._database.journal.committed(self._database.waiting)
        return _inbox.stale_gaps(waiting, before=self._host.time.now() - older_than)

    async def claim_agenda(
        self, *, owner: str, limit: int, lease: timedelta, reactions: Sequence[str]
    ) -> tuple[AgendaEntry, ...]:
        """Lend up to `limit` due entries of these reactions; when none is due, nothing is written."""
        due = await self.next_agenda(reactions)
        # Without a turn: an idle worker must not stand in the way of those who write.
        if due is None or due > self._host.time.now():
            return ()
        return await self._write(
            lambda: _agenda.claim(
                self._database, owner=owner, limit=limit, lease=lease, reactions=reactions, now=self._host.time.now()
            )
        )

    async def next_agenda(self, reactions: Sequence[str]) -> datetime | None:
        """Return when the next entry of these is due or its lease ends; None when none will be."""
        self._expect_open()
        return _agenda.next_due(self._database, reactions)

    async def agenda_backlog(self, reactions: Sequence[str] | None, *, limit: int) -> int:
        """Count entries of these reactions, or of all, counting no further than `limit`."""
        self._expect_open()
        return _agenda.backlog(self._database.journal.committed(self._database.agenda), reactions, limit=limit)

    async def agenda_entries(
        self, reactions: Sequence[str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> tuple[AgendaEntry, ...]:
        """List entries in the order of adding."""
        self._expect_open()
        agenda = self._database.journal.committed(self._database.agenda)
        return _agenda.entries(agenda, reactions, limit=limit, after=after)

    async def agenda_reactions(self) -> tuple[str, ...]:
        """Return every reaction that has an entry, by name."""
        self._expect_open()
        return _agenda.reactions(self._database.journal.committed(self._database.agenda))

    async def dead_letters(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first."""
        self._expect_open()
        letters = self._database.journal.committed(self._database.letters).values()
        return tuple(letter for letter in letters if state is None or letter.state == state)[:limit]

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Read one dead letter."""
        self._expect_open()
        return self._database.journal.committed(self._database.letters).get(id)

    async def open_letters(
        self, *, before: datetime, destination: str | None = None, after: str | None = None, limit: int = 100
    ) -> tuple[str, ...]:
        """Return the ids of open letters, oldest first."""
        self._expect_open()
        letters = tuple(self._database.journal.committed(self._database.letters).values())
        start = next((place for place, letter in enumerate(letters, 1) if letter.id == after), 0)
        found = (
            letter.id
            for letter in letters[start:]
            if letter.state == "dead" and letter.at <= before and destination in (None, letter.destination)
        )
        return tuple(islice(found, limit))

    async def close_dead_letter(self, id: str, state: Literal["replayed", "discarded"]) -> bool:
        """Mark a dead letter as replayed or discarded, with its effect on the lane or key."""

        def close() -> bool:
            letter, now = self._database.letters.get(id), self._host.time.now()
            if letter is None or letter.state != "dead":
                return False
            self._database.letters[id] = evolve(letter, state=state)
            self._database.closed[id] = now
            side = {"outbox": _lanes, "inbox": _inbox, "agenda": _agenda}[letter.side]
            side.close(self._database, letter, replay=state == "replayed", now=now)
            return True

        return await self._write(close)

    async def purge(self, kept: Kept, before: datetime, *, limit: int, behind: Place = ()) -> Sweep:
        """Remove rows of one kind that were done before a moment."""
        return await self._write(lambda: _retention.purge(self._database, kept, before, limit=limit))

    async def _write(self, step: Callable[[], T]) -> T:
        """Make one step in a transaction of its own."""
        self._expect_open()
        await self._database.turn.take()
        try:
            result = step()
            self._database.journal.keep()
        finally:
            # After `keep` nothing is left to undo; after an error, everything is.
            self._database.journal.undo()
            self._database.turn.give()
        return result

    def _expect_open(self) -> None:
        if self._closed:
            raise StoreClosed(self._name)
