"""The consumer's worker: borrows waiting events that are due and hands them back to the consumer.

Knows rows, leases and due times. What becomes of an event is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from attrs import Factory, define, evolve, field

from effect_runtime.dispatch import Ledger
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import InboxStore, Waiting


class ConsumerStore(InboxStore, Protocol):
    """What a consumer needs from its context's store."""

    def version(self) -> int:
        """Return a number that grows when any process has committed."""
        ...


@define(eq=False)
class Worker:
    """Take up the waiting events of some subscriptions: the `Source` of a consumer's pump, which owns it."""

    take_up: Callable[[Waiting], Awaitable[None]]
    store: ConsumerStore
    host: Host
    lease: timedelta
    subscriptions: tuple[str, ...]
    owner: str = field(init=False, default=Factory(lambda self: str(self.host.entropy.uuid()), takes_self=True))
    lent: list[Waiting] = field(factory=list)

    async def claim(self, free: int) -> Sequence[Waiting]:
        """Borrow due rows."""
        rows = await self.store.claim_waiting(
            owner=self.owner, limit=free, lease=self.lease, subscriptions=self.subscriptions
        )
        self.lent += rows
        return rows

    async def work(self, item: Waiting) -> None:
        """Try one again."""
        try:
            await self.take_up(item)
        except Exception:
            self.lent.remove(item)  # its lease runs out: trying again at once would only spin
            raise
        self.lent.remove(item)

    async def flush(self) -> None:
        """Do nothing: outcomes were committed one by one."""

    async def close(self) -> None:
        """Give back what was borrowed and not finished. A row that a twin finished is found settled and dropped."""
        if not self.lent:
            return
        now = self.host.time.now()
        # If a lease ran out meanwhile, this may undo a twin's count of attempts, and no more: whether the event is
        # still to be done is decided anew when the row is lent again.
        async with self.store.unit() as unit:
            await unit.begin()
            for row in self.lent:
                await unit.inbox.hold(evolve(row, due=now))
            await unit.commit(Ledger())
        self.lent.clear()

    async def due_in(self) -> float | None:
        """Return the seconds until the next row is due."""
        due = await self.store.next_waiting(self.subscriptions)
        return None if due is None else (due - self.host.time.now()).total_seconds()
