"""One unit of work on a memory store: a turn, a mark in the journal, and the ledger at the end."""

from __future__ import annotations

from datetime import datetime
from typing import final

from effect_runtime.dispatch import Answer, Ledger
from effect_runtime.errors import EventTooLarge, SavepointGone, StoreConflict, UnitEnded
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Address, DeadLetter, InboxState, Waiting
from effect_runtime.outbox.memory import _agenda, _inbox, _lanes
from effect_runtime.outbox.memory._agenda_unit import MemoryAgenda
from effect_runtime.outbox.memory._database import Database, Remembered
from effect_runtime.outbox.memory._session import MemorySession


@final
class MemoryUnit:
    """A unit of work; it owns the store's turn from `begin` until it ends."""

    def __init__(self, store: str, database: Database, host: Host, *, event_limit: int) -> None:
        self._store = store
        self._database = database
        self._host = host
        self._event_limit = event_limit
        self._open = False
        self._ended = False
        self._savepoints: dict[int, int] = {}
        self._opened_savepoints = 0
        self._session = MemorySession(database, lambda: self._expect_open("The session"))
        self._inbox = MemoryInbox(self)

    @property
    def session(self) -> MemorySession:
        """Return the tables inside this unit."""
        return self._session

    @property
    def inbox(self) -> MemoryInbox:
        """Return the inbox inside this unit."""
        return self._inbox

    @property
    def agenda(self) -> MemoryAgenda:
        """Return the agenda inside this unit."""
        return MemoryAgenda(self._begun)

    @property
    def is_open(self) -> bool:
        """Tell whether this unit holds the turn."""
        return self._open

    async def begin(self) -> None:
        """Wait for the turn, unless it is held."""
        if self._ended:
            raise UnitEnded(self._store, used="A unit of work")
        if not self._open:
            await self._database.turn.take()
            self._open = True

    async def claim(self, command_id: str, fingerprint: bytes) -> Answer | None:
        """Claim a command id, or return what its twin has answered; the turn is the claim, as a twin waits for it."""
        await self.begin()
        known = self._database.commands.get(command_id)
        if known is None:
            return None
        return Answer(command_id=command_id, fingerprint=known.fingerprint, body=known.body)

    async def savepoint(self) -> int:
        """Open a savepoint; its number is never given twice in one unit."""
        await self.begin()
        self._opened_savepoints += 1
        self._savepoints[self._opened_savepoints] = self._database.journal.mark
        return self._opened_savepoints

    async def release(self, savepoint: int) -> None:
        """End a savepoint, and those inside it, and keep what was done."""
        self._end_savepoint(savepoint)

    async def rollback_to(self, savepoint: int) -> None:
        """End a savepoint, and those inside it, and undo what was done."""
        self._database.journal.undo(self._end_savepoint(savepoint))

    def _end_savepoint(self, savepoint: int) -> int:
        self._expect_open("A savepoint")
        if savepoint not in self._savepoints:
            raise SavepointGone(self._store, savepoint=savepoint)
        mark = self._savepoints[savepoint]
        self._savepoints = {number: kept for number, kept in self._savepoints.items() if number < savepoint}
        return mark

    async def commit(self, ledger: Ledger) -> tuple[Envelope, ...]:
        """Write the ledger and keep everything; on any trouble nothing is kept."""
        await self.begin()
        try:
            events = self._write(ledger)
        except BaseException:
            self.end(keep=False)
            raise
        self.end(keep=True)
        return events

    async def rollback(self) -> None:
        """Undo everything."""
        self.end(keep=False)

    def end(self, *, keep: bool) -> None:
        """Keep or undo everything and hand the turn on; nothing happens when it has ended."""
        # Before the turn goes on: whoever still holds the session is refused, not let into the next unit.
        self._ended = True
        if not self._open:
            return
        self._open = False
        if keep:
            self._database.journal.keep()
        else:
            self._database.journal.undo()
        self._database.turn.give()

    def _write(self, ledger: Ledger) -> tuple[Envelope, ...]:
        database, now = self._database, self._host.time.now()
        for event in ledger.events:
            # Before anything is numbered: the fault is that of one event, and no counter has to be put back for it.
            if len(event.data) > self._event_limit:
                raise EventTooLarge(event.id, type=event.type, size=len(event.data), limit=self._event_limit)
        events = tuple(_lanes.publish(database, event, now=now) for event in ledger.events)
        for item in ledger.agenda:
            _agenda.add(database, item, now=now)
        if ledger.audit is not None:
            database.audit[database.next_line()] = ledger.audit
        if ledger.answer is not None:
            self._remember(ledger.answer, now)
        return events

    def _remember(self, answer: Answer, now: datetime) -> None:
        if answer.command_id in self._database.commands:
            # Cannot be while the turn is the claim, unless a unit answers an id that it never claimed.
            raise StoreConflict(self._store, reason=f"command {answer.command_id!r} was answered by a twin")
        self._database.commands[answer.command_id] = Remembered(answer.fingerprint, answer.body, now)

    def _expect_open(self, used: str) -> None:
        if not self._open:
            raise UnitEnded(self._store, used=used)

    async def _begun(self) -> tuple[Database, datetime]:
        await self.begin()
        return self._database, self._host.time.now()

    def tables(self) -> tuple[Database, datetime]:
        """Return the tables and the store's time to the inbox of this unit."""
        self._expect_open("The inbox")
        return self._database, self._host.time.now()


@final
class MemoryInbox:
    """The inbox inside one unit of work."""

    __slots__ = ("_unit",)

    def __init__(self, unit: MemoryUnit) -> None:
        self._unit = unit

    async def state(self, address: Address) -> InboxState:
        """Read what is known of an event and its key."""
        await self._unit.begin()
        return _inbox.state(self._unit.tables()[0], address)

    async def settled(self, address: Address, outcome: str) -> None:
        """Record that this event is done for this subscription."""
        await self._unit.begin()
        database, now = self._unit.tables()
        _inbox.settled(database, address, now=now)

    async def hold(self, waiting: Waiting) -> None:
        """Keep an event until its turn or its next attempt."""
        await self._unit.begin()
        _inbox.hold(self._unit.tables()[0], waiting)

    async def drop(self, address: Address) -> None:
        """Remove a waiting row."""
        await self._unit.begin()
        _inbox.drop(self._unit.tables()[0], address)

    async def next_in_line(self, subscription: str, topic: str, key: str) -> Waiting | None:
        """Return the waiting event with the lowest number of one key."""
        await self._unit.begin()
        return _inbox.next_in_line(self._unit.tables()[0], subscription, topic, key)

    async def bury(self, letter: DeadLetter) -> None:
        """Store a dead letter."""
        await self._unit.begin()
        _inbox.bury(self._unit.tables()[0], letter)

    async def unblock(self, subscription: str, topic: str, key: str) -> None:
        """Let a blocked key move again."""
        await self._unit.begin()
        database, now = self._unit.tables()
        _inbox.unblock(database, (subscription, topic, key), now=now)
