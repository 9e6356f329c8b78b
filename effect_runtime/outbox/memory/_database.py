"""All tables of one memory store, and the indexes that find what is due without looking at the rest.

Knows how rows are shaped; what they mean is decided beside it, in lanes, inbox and letters.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Any, final

from attrs import frozen

from effect_runtime.dispatch import AuditEntry
from effect_runtime.integration import Envelope
from effect_runtime.outbox._agenda_rows import AgendaRow
from effect_runtime.outbox._lending import LaneRow
from effect_runtime.outbox._ports import DeadLetter, Lane, Waiting
from effect_runtime.outbox.memory._tables import Journal, Table
from effect_runtime.outbox.memory._turn import Turn


@frozen
class Remembered:
    """The answer of a command id, and when it was given."""

    fingerprint: bytes
    body: bytes
    at: datetime


@frozen
class Mark:
    """The last settled number of one key in one subscription, and whether the key is blocked."""

    number: int | None = None
    blocked: bool = False


@final
class DueLanes:
    """Lanes by due time. Holds an entry for each state a lane ever had; what is not true any more is dropped."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[datetime, int, Lane]]] = {}

    def changed(self, lane: Lane, row: LaneRow) -> None:
        """Take in a new state of a lane."""
        if row.lendable:
            heapq.heappush(self._heaps.setdefault(lane.destination, []), (row.due, row.number, lane))

    def head(self, destination: str, lanes: Table[Lane, LaneRow], now: datetime) -> LaneRow | None:
        """Return the lane of one destination that has been due for longest; it stays the head until it changes."""
        heap = self._heaps.get(destination, [])
        while heap and heap[0][0] <= now:
            # A heap cannot change what is inside it. So each state of a lane is pushed, and an entry that no longer
            # says what the row says is dropped when it comes to the top: every push is popped at most once.
            due, _, lane = heap[0]
            row = lanes.rows.get(lane)
            if row is not None and row.lendable and row.due == due:
                return row
            heapq.heappop(heap)
        return None


@final
class DueEntries:
    """Entries of the agenda by due time. Holds one for each state an entry ever had, as `DueLanes` does."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[datetime, int, str]]] = {}

    def changed(self, row: AgendaRow) -> None:
        """Take in a new state of an entry."""
        if row.due is not None:
            heapq.heappush(self._heaps.setdefault(row.item.reaction, []), (row.due, row.number, row.id))

    def head(self, reaction: str, agenda: Table[str, AgendaRow]) -> AgendaRow | None:
        """Return the entry of one reaction that is due first; it stays the head until it changes."""
        heap = self._heaps.get(reaction, [])
        while heap:
            due, number, id = heap[0]
            row = agenda.rows.get(id)
            if row is not None and (row.due, row.number) == (due, number):
                return row
            heapq.heappop(heap)
        return None


@final
class QueuedEntries:
    """Entries that stand behind another of their lane, in the order of adding; what is not true any more is dropped."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[str, str], list[tuple[int, str]]] = {}

    def changed(self, row: AgendaRow) -> None:
        """Take in a new state of an entry."""
        if row.line is not None and row.due is None:
            heapq.heappush(self._heaps.setdefault(row.line, []), (row.number, row.id))

    def first(self, line: tuple[str, str], agenda: Table[str, AgendaRow]) -> AgendaRow | None:
        """Return the entry that has stood behind another for longest."""
        heap = self._heaps.get(line, [])
        while heap:
            number, id = heap[0]
            row = agenda.rows.get(id)
            if row is not None and row.due is None and row.number == number:
                return row
            heapq.heappop(heap)
        self._heaps.pop(line, None)
        return None


@final
class Database:
    """Everything that one memory store holds, owned by its `MemoryStore`."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.turn = Turn()
        self.due = DueLanes()
        self.commands: Table[str, Remembered] = Table(self.journal)
        self.audit: Table[int, AuditEntry] = Table(self.journal)
        self.sequences: Table[tuple[str, str], int] = Table(self.journal)
        self.events: Table[str, Envelope] = Table(self.journal)
        self.committed: Table[str, datetime] = Table(self.journal)
        self.purged: Table[str, datetime] = Table(self.journal)
        self.numbered: Table[tuple[str, str, int], str] = Table(self.journal)
        self.routes: Table[tuple[str, str], None] = Table(self.journal)
        self.lanes: Table[Lane, LaneRow] = Table(self.journal, self.due.changed)
        self.settled: Table[tuple[str, str], datetime] = Table(self.journal)
        self.marks: Table[tuple[str, str, str], Mark] = Table(self.journal)
        self.waiting: Table[tuple[str, str], Waiting] = Table(self.journal)
        self.lines: Table[tuple[str, str, str], tuple[tuple[int, str], ...]] = Table(self.journal)
        self.letters: Table[str, DeadLetter] = Table(self.journal)
        self.closed: Table[str, datetime] = Table(self.journal)
        self.entries = DueEntries()
        self.queued = QueuedEntries()
        self.agenda: Table[str, AgendaRow] = Table(self.journal, self._agenda_changed)
        self.heads: Table[tuple[str, str], str] = Table(self.journal)
        self._users: dict[str, Table[Any, Any]] = {}
        self._lanes_made = 0
        self._entries_made = 0
        self._lines_made = 0

    def users(self, name: str) -> Table[Any, Any]:
        """Return a user's table by its name, made when it is asked for the first time."""
        if name not in self._users:
            self._users[name] = Table(self.journal)
        return self._users[name]

    def content(self) -> dict[str, list[Any]]:
        """Return the rows of the users' tables, and events, agenda and dead letters in the order of their making."""
        users: dict[str, list[Any]] = {name: list(table.rows.items()) for name, table in self._users.items()}
        told = [(each.type, each.key, each.data) for each in self.events.rows.values()]
        items = (row.item for row in self.agenda.rows.values())
        waits = [(item.reaction, item.envelope.key, item.envelope.data) for item in items]
        dead = [each.cause for each in self.letters.rows.values()]
        return {**users, "events": told, "agenda": waits, "dead letters": dead}

    def next_lane(self) -> int:
        """Return a number for a new lane."""
        self._lanes_made += 1
        return self._lanes_made

    def next_line(self) -> int:
        """Return a number for a new line of the audit."""
        self._lines_made += 1
        return self._lines_made

    def next_entry(self) -> int:
        """Return a number for a new entry of the agenda."""
        self._entries_made += 1
        return self._entries_made

    def _agenda_changed(self, _id: str, row: AgendaRow) -> None:
        self.entries.changed(row)
        self.queued.changed(row)
