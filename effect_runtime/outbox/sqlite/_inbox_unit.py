"""The inbox inside one unit of work: dispatch's and the consumer's words, each one step in its transaction."""

from __future__ import annotations

from typing import final

from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Address, DeadLetter, InboxState, Waiting
from effect_runtime.outbox.sqlite import _inbox
from effect_runtime.outbox.sqlite._session import Runs


@final
class SqliteInbox:
    """The inbox of one store, inside one unit of work."""

    __slots__ = ("_host", "_unit")

    def __init__(self, unit: Runs, host: Host) -> None:
        self._unit = unit
        self._host = host

    async def state(self, address: Address) -> InboxState:
        """Read what is known of an event and its key."""
        return await self._unit.run(_inbox.state, address)

    async def settled(self, address: Address, outcome: str) -> None:
        """Record that this event is done for this subscription."""
        await self._unit.run(_inbox.settle, address, outcome, self._host.time.now())

    async def hold(self, waiting: Waiting) -> None:
        """Keep an event until its turn or its next attempt."""
        await self._unit.run(_inbox.hold, waiting)

    async def drop(self, address: Address) -> None:
        """Remove a waiting row."""
        await self._unit.run(_inbox.drop, address)

    async def next_in_line(self, subscription: str, topic: str, key: str) -> Waiting | None:
        """Return the waiting event with the lowest number of one key."""
        return await self._unit.run(_inbox.next_in_line, subscription, topic, key)

    async def bury(self, letter: DeadLetter) -> None:
        """Store a dead letter."""
        await self._unit.run(_inbox.bury, letter)

    async def unblock(self, subscription: str, topic: str, key: str) -> None:
        """Let a blocked key move again."""
        await self._unit.run(_inbox.unblock, (subscription, topic, key), self._host.time.now())
