"""Two nodes on one SQLite file: the same store opened twice, each time with a clock of its own that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import final

from attrs import frozen

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.outbox import Claimed, Settlement, Waiting
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import CATALOG, LEASE, NOON, NOTHING, ManualTime, an_event, sqlite_store, still_host

REACTION = "lending.remind"


@final
@frozen
class Node:
    """One process of those that share a file, as far as the file can tell."""

    name: str
    store: OpenSqlite
    clock: ManualTime

    async def claim(self) -> tuple[Claimed, ...]:
        """Borrow lanes."""
        return await self.store.claim(owner=self.name, lanes=10, events=10, lease=LEASE, destinations=["catalog"])

    async def settle(self, *claims: Claimed) -> int:
        """Say that everything was accepted; return how many settlements were stale."""
        settlements = [Settlement(lane=each.lane, token=each.token, accepted=len(each.envelopes)) for each in claims]
        return len(await self.store.settle(settlements))

    async def take_up(self) -> tuple[Waiting, ...]:
        """Borrow waiting events."""
        return await self.store.claim_waiting(owner=self.name, limit=10, lease=LEASE, subscriptions=["catalog.loans"])

    async def due(self) -> tuple[AgendaEntry, ...]:
        """Borrow what is due on the agenda."""
        return await self.store.claim_agenda(owner=self.name, limit=10, lease=LEASE, reactions=[REACTION])

    async def send_later(self, id: str, after: timedelta) -> None:
        """Write down a command that is due after a while, by the clock of this node."""
        due = self.clock.now() + after
        async with self.store.unit() as unit:
            await unit.agenda.add(AgendaItem(reaction=REACTION, envelope=an_event(id, None), due=due))
            await unit.commit(NOTHING)


@asynccontextmanager
async def two_nodes(folder: Path, *, ahead: timedelta = timedelta(0)) -> AsyncIterator[tuple[Node, Node]]:
    """Open the file twice; the second one's clock is ahead of the first's."""
    clocks = ManualTime(NOON), ManualTime(NOON + ahead)
    async with (
        sqlite_store(folder).opened(still_host(clocks[0])) as first,
        sqlite_store(folder).opened(still_host(clocks[1])) as second,
    ):
        await first.register([CATALOG])
        yield Node("first", first, clocks[0]), Node("second", second, clocks[1])
