"""A small world for delivery: a clock that a test turns, a tiny dispatcher, wires that misbehave on demand.

Stores and loops are the real ones; nothing is patched.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from anyio import Event
from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.dispatch import Ledger
from effect_runtime.effect import Died, Exit, Failed, Schedule, Succeeded
from effect_runtime.errors import BadPayload
from effect_runtime.integration import Envelope, Features, Message, Receive, decode_message
from effect_runtime.interpreter import Host, Recording
from effect_runtime.outbox import (
    Admit,
    Consumer,
    DeadLetters,
    DeliveryStore,
    Inlet,
    Pace,
    Relay,
    RelayPolicy,
    Route,
    Wake,
)
from effect_runtime.transports import InProcess

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOPIC = "lending"


class TurnedTime:
    """A clock that stands still until a test turns it."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._sleepers: list[tuple[float, Event]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, duration: timedelta) -> None:
        if duration <= timedelta(0):
            await checkpoint()
            return
        entry = (self.elapsed + duration.total_seconds(), Event())
        self._sleepers.append(entry)
        try:
            await entry[1].wait()
        finally:
            self._sleepers.remove(entry)

    def turn(self, duration: timedelta) -> None:
        """Let this much time pass at once."""
        self.elapsed += duration.total_seconds()
        for until, event in self._sleepers:
            if until <= self.elapsed:
                event.set()

    def skip(self) -> None:
        """Go to the moment at which the next sleeper wakes."""
        waiting = [until for until, event in self._sleepers if not event.is_set()]
        if waiting:
            self.turn(timedelta(seconds=max(0.0, min(waiting) - self.elapsed) + 1e-6))


class SeededEntropy:
    """Ids and numbers that are the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def random(self) -> float:
        return self._random.random()


async def steps(count: int = 30) -> None:
    """Let every other task run for a while."""
    for _ in range(count):
        await checkpoint()


def turned_host(seed: int = 0) -> tuple[Host, TurnedTime]:
    """Return a host on a turned clock."""
    time = TurnedTime()
    return Host(time=time, entropy=SeededEntropy(seed)), time


async def until(time: TurnedTime, condition: Callable[[], bool], *, limit: int = 4_000) -> None:
    """Let the world run, and time pass when it rests, until the condition holds; fails when it never does."""
    for _ in range(limit):
        if condition():
            return
        await steps()
        if condition():
            return
        time.skip()
    raise AssertionError("the world came to rest before the condition held")


def event(number: int, *, key: str | None = "dune", type: str = "lending.book-borrowed", **rest: Any) -> Envelope:
    """Return an envelope as dispatch collects it: not numbered yet. `number` is its payload and part of its id."""
    return Envelope(
        id=f"{key}-{number}",
        source="/library/lending",
        type=type,
        version=1,
        topic=TOPIC,
        time=START,
        data=json.dumps({"number": number}).encode(),
        correlation="c",
        key=key,
        **rest,
    )


def numbered(number: int, **rest: Any) -> Envelope:
    """Return an envelope that carries its payload's number as its sequence."""
    return event(number, **rest).numbered(number)


async def commit(store: DeliveryStore, *events: Envelope) -> tuple[Envelope, ...]:
    """Commit events in one unit of work, as dispatch does."""
    async with store.unit() as unit:
        await unit.begin()
        return await unit.commit(Ledger(events=events))


Handler = Callable[[dict[str, Any], Envelope], Awaitable[object]]
"""A test's handler: returns None, or a failure; raises for a defect."""


async def applies(event: dict[str, Any], envelope: Envelope) -> object:
    """Handle every event well."""
    return None


@define
class Shop:
    """The subscriber's side: a store, one subscription, and the effects that its handler wrote."""

    store: Any
    host: Host
    id: str = "catalog.lending-events"
    handler: Handler = applies
    begun: list[str] = field(factory=list)
    """Ids of all attempts, also those that failed."""

    async def deliver(self, event: Any, envelope: Envelope, *, admit: Admit, recording: Recording) -> Exit[Any, Any]:
        """Deliver as dispatch does: admit and effect in one transaction, nothing written on failure."""
        try:
            async with self.store.unit() as unit:
                await unit.begin()
                if await admit(unit):
                    self.begun.append(envelope.id)
                    table = unit.session.table("effects")
                    table[self.id, len(table)] = (envelope.key, envelope.sequence, envelope.id)
                    failure = await self.handler(event, envelope)
                    if failure is not None:
                        return Failed(failure)
                await unit.commit(Ledger())
        except Exception as defect:
            return Died(defect)
        return Succeeded(None)

    async def effects(self) -> list[tuple[str | None, int | None, str]]:
        """Return what was written, in the order of writing: (key, sequence, id)."""
        async with self.store.reading() as session:
            rows = session.table("effects")
            return [row for place, row in rows.items() if place[0] == self.id]

    async def ids(self) -> list[str]:
        """Return the ids of the events that had an effect, in order."""
        return [id for _, _, id in await self.effects()]

    def inlet(self, **rest: Any) -> Inlet:
        """Return the subscription as a consumer sees it."""
        settings: dict[str, Any] = {"schedule": Schedule.fixed(timedelta(seconds=1)).times(2), "start": "earliest"}
        return Inlet(
            id=self.id,
            topic=TOPIC,
            handles=lambda type: type == "lending.book-borrowed",
            decode=decoded,
            deliver=self.deliver,
            verdict=lambda event, failure: failure if failure in ("ignore", "dead_letter") else "retry",
            **{**settings, **rest},
        )


def decoded(envelope: Envelope) -> Any:
    """Decode a payload; one without a number is bad."""
    payload = json.loads(envelope.data)
    if "number" not in payload:
        raise BadPayload(envelope.type, envelope.version, faults={"number": "is missing"})
    return payload


class Crash(BaseException):
    """The process is gone: nothing after this line runs in it."""


@define
class Wire:
    """A transport between relay and shops that a test can slow down, break and listen to."""

    inner: InProcess = field(factory=InProcess)
    published: list[tuple[str, str]] = field(factory=list)
    """(destination, event id) of every publish that was begun."""
    fault: Callable[[str, Envelope], Awaitable[None]] | None = None
    after: Callable[[str, Envelope], Awaitable[None]] | None = None

    @property
    def features(self) -> Features:
        return self.inner.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        return self.inner.destinations(topic, subscriptions)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        async with self.inner.listening(subscription, topic, receive):
            yield

    async def publish(self, destination: str, message: Message) -> None:
        envelope = decode_message(message)
        self.published.append((destination, envelope.id))
        if self.fault is not None:
            await self.fault(destination, envelope)
        await self.inner.publish(destination, message)
        if self.after is not None:
            await self.after(destination, envelope)


@define
class World:
    """A publisher's store, a subscriber's store, and what runs between them."""

    host: Host
    time: TurnedTime
    source: Any
    target: Any
    shop: Shop
    wire: Wire = field(factory=Wire)
    wake: Wake = field(factory=Wake)
    target_wake: Wake = field(factory=Wake)

    def relay(self, **rest: Any) -> Relay:
        """Return a relay from the publisher's store to the shop. It polls seldom: turning time by inches is slow."""
        settings = {"pace": Pace(idle_poll=timedelta(milliseconds=500)), **rest}
        return Relay(self.source, self.wire, (self.shop.id,), host=self.host, wake=self.wake, **settings)

    def consumer(self, *inlets: Inlet, **rest: Any) -> Consumer:
        """Return a consumer of the shop's subscription."""
        return Consumer(self.target, inlets or (self.shop.inlet(),), host=self.host, wake=self.target_wake, **rest)

    @property
    def letters(self) -> DeadLetters:
        """Return the subscriber's dead letters."""
        return DeadLetters(self.target, self.target_wake)

    async def route(self) -> None:
        """Register the shop as a destination."""
        await self.source.register((Route(TOPIC, self.shop.id),))

    async def publish(self, *events: Envelope) -> None:
        """Commit events at the publisher's and wake the relay."""
        await commit(self.source, *events)
        self.wake.ring()

    @asynccontextmanager
    async def running(self, relay: Relay, consumer: Consumer) -> AsyncIterator[None]:
        """Run a relay and a consumer that listens."""
        listening = self.wire.listening(self.shop.id, TOPIC, consumer.receiver(self.shop.id))
        async with consumer.running(), listening, relay.running():
            yield

    async def rest(self, *loops: Relay | Consumer) -> None:
        """Let the world run until every loop is calm: nothing is due now."""
        await until(self.time, lambda: all(loop.is_calm for loop in loops))


@asynccontextmanager
async def worlds(seed: int = 0) -> AsyncIterator[World]:
    """Give a world with two memory stores."""
    from effect_runtime.outbox.memory import MemoryStore

    host, time = turned_host(seed)
    async with MemoryStore("source").opened(host) as source, MemoryStore("target").opened(host) as target:
        world = World(host, time, source, target, Shop(target, host))
        await world.route()
        yield world


QUICK = RelayPolicy(retries=Schedule.fixed(timedelta(seconds=1)).times(2))
"""A relay that gives up after three tries."""
