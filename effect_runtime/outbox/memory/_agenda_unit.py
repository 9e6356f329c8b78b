"""The agenda inside one unit of work: dispatch's and the workers' words, each one step on the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import final

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.outbox._ports import DeadLetter
from effect_runtime.outbox.memory import _agenda
from effect_runtime.outbox.memory._database import Database


@final
class MemoryAgenda:
    """The agenda inside one unit of work; `begun` opens the unit and returns its tables and the store's time."""

    __slots__ = ("_begun",)

    def __init__(self, begun: Callable[[], Awaitable[tuple[Database, datetime]]]) -> None:
        self._begun = begun

    async def add(self, item: AgendaItem) -> None:
        """Add an item at the end of its lane."""
        database, now = await self._begun()
        _agenda.add(database, item, now=now)

    async def find(self, id: str) -> AgendaEntry | None:
        """Read one entry."""
        database, _ = await self._begun()
        return _agenda.find(database, id)

    async def take(self, id: str, token: int) -> bool:
        """End a loan with success."""
        database, now = await self._begun()
        return _agenda.take(database, id, token, now=now)

    async def retry(self, id: str, token: int, *, due: datetime, error: str) -> bool:
        """End a loan with a failure after which the item is tried again."""
        database, _ = await self._begun()
        return _agenda.retry(database, id, token, due=due, error=error)

    async def release(self, id: str, token: int) -> bool:
        """End a loan without a try."""
        database, now = await self._begun()
        return _agenda.release(database, id, token, now=now)

    async def bury(self, id: str, token: int, letter: DeadLetter) -> bool:
        """End a loan with a dead letter."""
        database, now = await self._begun()
        return _agenda.bury(database, id, token, letter, now=now)

    async def cancel(self, id: str) -> bool:
        """Remove an item."""
        database, now = await self._begun()
        return _agenda.cancel(database, id, now=now)

    async def reschedule(self, id: str, due: datetime) -> bool:
        """Give an item another due time."""
        database, _ = await self._begun()
        return _agenda.reschedule(database, id, due)
