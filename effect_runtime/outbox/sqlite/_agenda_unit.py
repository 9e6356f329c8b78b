"""The agenda inside one unit of work: dispatch's and the workers' words, each one step in its transaction."""

from __future__ import annotations

from datetime import datetime
from typing import final

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import DeadLetter
from effect_runtime.outbox.sqlite import _agenda
from effect_runtime.outbox.sqlite._session import Runs


@final
class SqliteAgenda:
    """The agenda of one store, inside one unit of work."""

    __slots__ = ("_host", "_unit")

    def __init__(self, unit: Runs, host: Host) -> None:
        self._unit = unit
        self._host = host

    async def add(self, item: AgendaItem) -> None:
        """Add an item at the end of its lane."""
        await self._unit.run(_agenda.add, (item,), self._host.time.now())

    async def find(self, id: str) -> AgendaEntry | None:
        """Read one entry."""
        return await self._unit.run(_agenda.find, id)

    async def take(self, id: str, token: int) -> bool:
        """End a loan with success."""
        return await self._unit.run(_agenda.take, id, token, self._host.time.now())

    async def retry(self, id: str, token: int, *, due: datetime, error: str) -> bool:
        """End a loan with a failure after which the item is tried again."""
        return await self._unit.run(_agenda.retry, id, token, due=due, error=error)

    async def release(self, id: str, token: int) -> bool:
        """End a loan without a try."""
        return await self._unit.run(_agenda.release, id, token, self._host.time.now())

    async def bury(self, id: str, token: int, letter: DeadLetter) -> bool:
        """End a loan with a dead letter."""
        return await self._unit.run(_agenda.bury, id, token, letter, self._host.time.now())

    async def cancel(self, id: str) -> bool:
        """Remove an item."""
        return await self._unit.run(_agenda.cancel, id, self._host.time.now())

    async def reschedule(self, id: str, due: datetime) -> bool:
        """Give an item another due time."""
        return await self._unit.run(_agenda.reschedule, id, due)
