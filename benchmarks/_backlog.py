"""The relay before backlogs of three lengths: how fast the next events leave.

Every backlog stands in a fresh SQLite file, ten events of each key, and the same number of events is relayed from it
to a wire that only counts. What is timed is claim, publish and settle: the store's part of a relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import perf_counter_ns

from anyio import Event

from benchmarks._handwritten import folder
from effect_runtime.dispatch import Ledger
from effect_runtime.integration import Envelope, Features, Message, Receive
from effect_runtime.interpreter import Host, system_host
from effect_runtime.outbox import DeliveryStore, Relay, Route, Wake
from effect_runtime.outbox.sqlite import SqliteStore

THOUSAND = 1_000
HUNDRED_THOUSAND = 100_000
MILLION = 1_000_000
A_COMMIT = 1_000
A_KEY = 10
DESTINATION = "catalog.lending-events"
WARMING = 200


class CountingWire:
    """Accept every message at once; tell when `wanted` have come, and when the first `warming` had."""

    def __init__(self, wanted: int, *, warming: int) -> None:
        self.warming = warming
        self.accepted: set[bytes] = set()
        self.began = 0
        self.ended = 0
        self.done = Event()
        self._wanted = wanted

    @property
    def features(self) -> Features:
        """Say what this wire can do: nothing beside the port's duties."""
        return Features(durable=False, ordered_pipelining=False, redelivers=False, per_subscription=True)

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Send to the one destination."""
        return (DESTINATION,)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold nothing open."""
        yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Hand nothing to anybody."""
        yield

    async def publish(self, destination: str, message: Message) -> None:
        """Count one message."""
        self.accepted.add(message.body)
        if len(self.accepted) == self.warming:
            self.began = perf_counter_ns()
        if len(self.accepted) == self._wanted:
            self.ended = perf_counter_ns()
            self.done.set()


def measure_thousand(count: int) -> tuple[float, object]:
    """Count events a second from a backlog of a thousand."""
    return asyncio.run(_rate(count, THOUSAND))


def measure_hundred_thousand(count: int) -> tuple[float, object]:
    """Count events a second from a backlog of a hundred thousand."""
    return asyncio.run(_rate(count, HUNDRED_THOUSAND))


def measure_million(count: int) -> tuple[float, object]:
    """Count events a second from a backlog of a million."""
    return asyncio.run(_rate(count, MILLION))


async def _rate(count: int, waiting: int) -> tuple[float, object]:
    host = system_host()
    backlog = min(waiting, count * THOUSAND)  # a small sample needs no long backlog to be answered rightly
    with folder() as beneath:
        async with SqliteStore(beneath / "lending.db").opened(host) as store:
            await store.register((Route("lending", DESTINATION),))
            await _fill(store, backlog)
            assert await store.backlog((DESTINATION,), limit=backlog + 1) == backlog
            wire = CountingWire(count, warming=min(WARMING, count // 5))
            await _relayed(store, wire, host)
            return (count - wire.warming) * 1e9 / (wire.ended - wire.began), min(count, len(wire.accepted))


async def _relayed(store: DeliveryStore, wire: CountingWire, host: Host) -> None:
    async with Relay(store, wire, (DESTINATION,), host=host, wake=Wake()).running():
        await wire.done.wait()


async def _fill(store: DeliveryStore, backlog: int) -> None:
    """Commit a backlog, many events to a unit: keys take turns, so that no unit has two of one key."""
    keys = backlog // A_KEY
    for start in range(0, backlog, A_COMMIT):
        async with store.unit() as unit:
            await unit.begin()
            await unit.commit(Ledger(events=tuple(_event(number, keys) for number in range(start, start + A_COMMIT))))


def _event(number: int, keys: int) -> Envelope:
    return Envelope(
        id=f"event-{number}",
        source="/library/lending",
        type="lending.book-borrowed",
        version=1,
        topic="lending",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        data=b'{"book":"dune","loan":"l-1","patron":"ann"}',
        correlation="backlog",
        key=f"book-{number % keys}",
    )
