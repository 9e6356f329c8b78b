"""What keeps events from arriving, as one value: gaps, pauses, open breakers, blocked keys, how much waits.

Knows the ports and the loops that it looks at; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final, Protocol

from attrs import field, frozen

from effect_runtime.outbox._agenda_workers import AgendaWorkers, VolatileWorkers
from effect_runtime.outbox._breaker import Breaker, BreakerState
from effect_runtime.outbox._consumer import Consumer, Partition
from effect_runtime.outbox._janitor import Janitor
from effect_runtime.outbox._ports import (
    Address,
    AgendaStore,
    AgendaUnit,
    DeadLetter,
    DeadLetterStore,
    InboxStore,
    InboxUnit,
    RelayStore,
    RetentionStore,
    Waiting,
)
from effect_runtime.outbox._relay import Relay

_LISTED: Final = 100
"""The most dead letters that a snapshot names."""


class DeliveryUnit(InboxUnit, AgendaUnit, Protocol):
    """A unit of work whose store keeps inbox and agenda."""


class DeliveryStore(RelayStore, InboxStore, AgendaStore, DeadLetterStore, RetentionStore, Protocol):
    """One open store with all that delivery needs: its ports share one transaction."""

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[DeliveryUnit]:
        """Give one unit of work with its inbox and its agenda."""
        ...


@frozen
class Gap:
    """A key whose next number has been missing for longer than its subscription allows; later ones wait."""

    partition: Partition
    missing: int
    since: datetime


@frozen
class Blocked:
    """A key that waits for a decision about its dead letter: replay or discard it."""

    destination: str
    topic: str | None
    key: str | None
    letter: str


@frozen(kw_only=True)
class Health:
    """A snapshot of delivery on one store.

    `backlog` counts committed events that their destinations have not accepted, no further than the limit asked for.
    `behind` is for how long the oldest of them has been due. `dead_letters` counts open ones, up to a hundred.
    `agenda` counts what is on the agenda, `overdue` is for how long the oldest due entry of it has been so, and `stuck`
    names the reactions of entries that this process does not know: their code was renamed or is gone.
    """

    gaps: tuple[Gap, ...] = ()
    paused: tuple[Partition, ...] = ()
    open_breakers: Mapping[str, str] = field(factory=dict)
    blocked: tuple[Blocked, ...] = ()
    dead_letters: int = 0
    backlog: int = 0
    behind: timedelta = timedelta(0)
    agenda: int = 0
    overdue: timedelta = timedelta(0)
    stuck: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Tell whether nothing needs anybody's attention; a backlog alone does not."""
        return not (self.gaps or self.paused or self.open_breakers or self.blocked or self.stuck or self.trouble)

    @property
    def oldest_gap(self) -> Gap | None:
        """Return the gap that has been open for longest."""
        return min(self.gaps, key=lambda gap: gap.since, default=None)


async def health(
    store: DeliveryStore,
    *,
    now: datetime,
    relay: Relay | None,
    consumer: Consumer | None,
    destinations: Sequence[str] = (),
    workers: Sequence[AgendaWorkers | VolatileWorkers] = (),
    reactions: Sequence[str] = (),
    janitor: Janitor | None = None,
    limit: int = 10_000,
) -> Health:
    """Look at one store and the loops that this process runs on it.

    The backlog is that of the relay's destinations, and of `destinations` that another process serves. `reactions` are
    those that this process knows.
    """
    letters = await store.dead_letters(state="dead", limit=_LISTED)
    breakers = {} if relay is None else relay.breakers
    destinations = tuple(dict.fromkeys((*destinations, *breakers)))
    due = await store.next_due(destinations) if destinations else None
    return Health(
        gaps=() if consumer is None else await _gaps(store, consumer, now),
        paused=() if consumer is None else tuple(consumer.paused),
        open_breakers=_open(breakers),
        blocked=_blocked(letters),
        dead_letters=len(letters),
        backlog=await store.backlog(destinations, limit=limit) if destinations else 0,
        behind=timedelta(0) if due is None else max(timedelta(0), now - due),
        agenda=await store.agenda_backlog(None, limit=limit),
        overdue=await _overdue(store, reactions, now),
        stuck=tuple(each for each in await store.agenda_reactions() if each not in reactions),
        trouble=_trouble(relay, consumer, workers, janitor),
    )


def _trouble(
    relay: Relay | None,
    consumer: Consumer | None,
    workers: Sequence[AgendaWorkers | VolatileWorkers],
    janitor: Janitor | None,
) -> tuple[str, ...]:
    """Return what keeps the loops of this process from their store."""
    found = (
        *(() if relay is None else relay.trouble),
        None if consumer is None else consumer.trouble,
        *(trouble for each in workers for trouble in each.trouble),
        None if janitor is None else janitor.trouble,
    )
    return tuple(each for each in found if each is not None)


async def _overdue(store: DeliveryStore, reactions: Sequence[str], now: datetime) -> timedelta:
    due = await store.next_agenda(reactions) if reactions else None
    return timedelta(0) if due is None else max(timedelta(0), now - due)


def _open(breakers: Mapping[str, Breaker]) -> dict[str, str]:
    return {name: each.reason for name, each in breakers.items() if each.state is not BreakerState.CLOSED}


def _blocked(letters: Iterable[DeadLetter]) -> tuple[Blocked, ...]:
    return tuple(Blocked(each.destination, each.topic, each.key, each.id) for each in letters if each.blocks)


async def _gaps(store: DeliveryStore, consumer: Consumer, now: datetime) -> tuple[Gap, ...]:
    deadlines = {inlet.id: inlet.gap_deadline for inlet in consumer.inlets.values()}
    if not deadlines:
        return ()
    stale: dict[Partition, Waiting] = {}
    for row in await store.stale_gaps(min(deadlines.values())):
        allowed = deadlines.get(row.address.subscription)
        if allowed is not None and row.address.key is not None and now - row.since > allowed:
            # Oldest first, so the first row of a key says since when it waits.
            stale.setdefault(Partition(row.address.subscription, row.address.topic, row.address.key), row)
    found = [await _gap(store, partition, row.address, row.since) for partition, row in stale.items()]
    return tuple(gap for gap in found if gap is not None)


async def _gap(store: DeliveryStore, partition: Partition, address: Address, since: datetime) -> Gap | None:
    """Look again: the missing number may have come since and wait for its next attempt."""
    async with store.unit() as unit:
        state = await unit.inbox.state(address)
        head = await unit.inbox.next_in_line(partition.subscription, partition.topic, partition.key)
        await unit.rollback()
    missing = (state.mark or 0) + 1
    if state.blocked or head is None or head.address.sequence is None or head.address.sequence <= missing:
        return None
    return Gap(partition, missing, since)
