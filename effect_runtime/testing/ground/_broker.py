"""A broker as a durable log with acknowledgements, and the production `Transport` over it.

Each group gets every message of its topic, in the order of each key; what is not acknowledged comes again. The log
outlives every process. Knows bytes, keys and groups.
"""

from __future__ import annotations

from asyncio import Task
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Final, final

import anyio
from anyio import CancelScope
from attrs import define, evolve, field, frozen

from effect_runtime.errors import DestinationUnavailable
from effect_runtime.integration import Envelope, Features, Message, Receive, encode_message
from effect_runtime.testing.ground._boundaries import Boundaries
from effect_runtime.testing.ground._faults import AckLost, Faults
from effect_runtime.testing.loop._host import NOON
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._sequencer import Fiber

_AGAIN: Final = 1.0
"""Seconds after which a message that was not taken comes again, and by which a late one is late."""

_MOMENT: Final = 0.001
"""Seconds between two looks at whether what was begun has ended."""

_LOST: Final = 30.0
"""Seconds after which a message that was lost on its way comes again."""

_TRICKS: Final = ("late", "twice", "lost")

_STRANGERS: Final = ("unreadable bytes first", "an unknown event first")

PROMISED: Final = Features(durable=True, ordered_pipelining=False, redelivers=True, per_subscription=False)
"""What the broker promises; `redelivers` is what allows messages to come late and twice, and to be lost before."""


@define(eq=False)
class Delivery:
    """One message for one group, until somebody acknowledges it."""

    message: Message
    number: int
    group: Group
    listener: Listener | None = None
    in_flight: bool = False
    acked: bool = False

    async def ack(self) -> None:
        """Tell the broker that it need not come again."""
        await self.group.ack(self)


@frozen(eq=False)
class Listener:
    """One of those who take the messages of a group, and the deliveries that are on their way to it."""

    life: Incarnation
    boundaries: Boundaries
    context: Callable[[Fiber], Context]
    take: Callable[[Delivery], Awaitable[None]]
    running: list[Task[None]] = field(factory=list)

    def start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a delivery as a fiber of the listening process."""
        fiber = Fiber(self.boundaries.process, name)
        task = self.life.create_task(coroutine, context=self.context(fiber))
        self.running.append(task)
        task.add_done_callback(self.running.remove, context=Context())

    async def ended(self) -> None:
        """Wait until no delivery runs."""
        with CancelScope(shield=True):
            while self.running:
                await anyio.sleep(_MOMENT)


@define(eq=False)
class Group:
    """One group's share of the log, and who listens: each message comes to one of them, who take turns.

    Owned by its broker.
    """

    topic: str
    name: str
    pending: list[Delivery] = field(factory=list)
    listeners: list[Listener] = field(factory=list)
    changes: int = 0
    _numbers: int = 0

    def add(self, message: Message) -> None:
        """Take a message in."""
        self._numbers += 1
        self.changes += 1
        self.pending.append(Delivery(message, self._numbers, self))
        self.offer()

    def offer(self) -> None:
        """Start every delivery that may start: the first of each key, and all without one."""
        busy = set[str]()
        for delivery in self.pending:
            key = delivery.message.key
            if not delivery.in_flight and (key is None or key not in busy):
                self._start(delivery)
            if key is not None:
                busy.add(key)

    def _start(self, delivery: Delivery) -> None:
        listener = next((each for each in self.listeners if not each.life.is_dead), None)
        if listener is None:
            return
        if len(self.listeners) > 1:
            self.listeners.remove(listener)
            self.listeners.append(listener)
            self.changes += 1  # whose turn is next outlives whoever dies
        delivery.in_flight, delivery.listener = True, listener
        listener.start(self.name, self._deliver(delivery, listener))

    def enter(self, listener: Listener) -> None:
        """Let one more listener take its turn."""
        self.listeners.append(listener)
        self.offer()

    def leave(self, listener: Listener) -> None:
        """Start nothing more for a listener; what is on its way to it still comes to an end."""
        if listener in self.listeners:
            self.listeners.remove(listener)

    def forget(self, gone: Callable[[Listener], bool]) -> None:
        """Forget listeners whose deliveries have ended, or died with them: what they did not take goes to others."""
        self.listeners = [listener for listener in self.listeners if not gone(listener)]
        for delivery in self.pending:
            if delivery.in_flight and delivery.listener is not None and gone(delivery.listener):
                delivery.in_flight = False
        self.offer()

    async def ack(self, delivery: Delivery) -> None:
        """Take a delivery off the log."""
        listener = delivery.listener
        assert listener is not None  # only who listens was given a delivery

        async def off() -> None:
            if not delivery.acked:
                delivery.acked = True
                self.changes += 1
                self.pending.remove(delivery)

        boundaries = listener.boundaries
        lost = (AckLost(),) if boundaries.faults.messages else ()
        await boundaries.around("Broker.ack", off, delivery.number, more=lost)

    async def _deliver(self, delivery: Delivery, listener: Listener) -> None:
        boundaries = listener.boundaries
        how = boundaries.answer(self.name, "Broker.deliver", "message", _hows(boundaries.faults))
        try:
            if how == "lost":
                await anyio.sleep(_LOST)
            elif how in _STRANGERS:
                self._put_before(delivery, how, boundaries)
            else:
                await self._delivered(delivery, listener, how)
        finally:
            if not listener.life.is_dead:  # or it has been handed on
                delivery.in_flight = False
                self.offer()

    def _put_before(self, delivery: Delivery, kind: str, boundaries: Boundaries) -> None:
        """Let a stranger's message come first, in the same line."""
        self._numbers += 1
        self.changes += 1
        stranger = _stranger(kind, self.topic, self._numbers, key=delivery.message.key)
        self.pending.insert(self.pending.index(delivery), Delivery(stranger, self._numbers, self))
        boundaries.sequencer.tell(boundaries.process, self.name, "Broker.stranger", self._numbers, stranger.body)

    async def _delivered(self, delivery: Delivery, listener: Listener, how: str) -> None:
        boundaries = listener.boundaries
        if how == "late":
            await anyio.sleep(_AGAIN)
        try:
            await listener.take(delivery)
        except Exception as error:
            boundaries.sequencer.tell(
                boundaries.process, self.name, "Broker.refused", delivery.number, type(error).__name__
            )
        if not delivery.acked:
            await anyio.sleep(_AGAIN)
        elif how == "twice":
            self.pending.insert(0, Delivery(delivery.message, delivery.number, self))
            self.changes += 1


@final
class Broker:
    """The log of one run."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[str, Group]] = {}

    def join(self, topic: str, group: str) -> Group:
        """Return a group of a topic; it gets what is published from now on."""
        return self._topics.setdefault(topic, {}).setdefault(group, Group(topic, group))

    def append(self, topic: str, message: Message) -> None:
        """Accept a message, for every group of its topic; one that nobody would ever get is not accepted."""
        groups = self._topics.get(topic)
        if not groups:
            raise DestinationUnavailable(topic, reason="no group has joined it")
        for group in groups.values():
            group.add(message)

    def drop(self, life: Incarnation) -> None:
        """Forget whoever listened in a life that has ended."""
        for groups in self._topics.values():
            for group in groups.values():
                group.forget(lambda listener: listener.life is life)

    @property
    def version(self) -> int:
        """Return a number that is another one after each change of the log."""
        return sum(group.changes for groups in self._topics.values() for group in groups.values())

    @property
    def is_empty(self) -> bool:
        """Tell whether everything was acknowledged."""
        return not any(group.pending for groups in self._topics.values() for group in groups.values())


@final
@define(eq=False)
class BrokerWire:
    """The broker as one life of a process sees it: a production transport."""

    broker: Broker
    life: Incarnation
    boundaries: Boundaries
    context: Callable[[Fiber], Context]

    @property
    def features(self) -> Features:
        """Return what it promises."""
        return PROMISED

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return the topic: the broker fans out."""
        return (topic,)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: there is no connection."""
        yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Deliver to `receive`, and acknowledge what it has settled."""

        async def take(delivery: Delivery) -> None:
            await receive(delivery.message)
            await delivery.ack()

        listening = self.taking(subscription, topic, take)
        with listening:
            try:
                yield
            except BaseException:
                for task in listening.listener.running:
                    task.cancel()
                raise
            finally:
                listening.group.leave(listening.listener)
                await listening.listener.ended()
                # Cancelled before it began, a delivery has not even ended by itself.
                listening.group.forget(lambda listener: listener is listening.listener)

    def taking(self, subscription: str, topic: str, take: Callable[[Delivery], Awaitable[None]]) -> _Taking:
        """Deliver to `take`, which acknowledges by itself, while entered."""
        return _Taking(self.broker.join(topic, subscription), Listener(self.life, self.boundaries, self.context, take))

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message to the broker and wait until it is accepted."""

        async def accept() -> None:
            self.broker.append(destination, message)

        await self.boundaries.around("Broker.publish", accept, message.key)


def _hows(faults: Faults) -> tuple[str, ...]:
    """Return in which ways a message may come; 0 is by itself."""
    return ("deliver", *(_TRICKS if faults.messages else ()), *(_STRANGERS if faults.poison else ()))


def _stranger(kind: str, topic: str, number: int, *, key: str | None) -> Message:
    """Make a message that nobody here can read, in the line of a key: one that is skipped holds nobody up."""
    if kind == "unreadable bytes first":
        return Message(b"\xff\x00 of a stranger", key=key)
    envelope = Envelope(
        id=f"stranger-{number}",
        source="stranger",
        type="stranger.unheard-of",
        version=1,
        topic=topic,
        time=NOON,
        data=b"{}",
        correlation="stranger",
    )
    return evolve(encode_message(envelope), key=key)


@define(eq=False)
class _Taking:
    """Listen to a group while entered."""

    group: Group
    listener: Listener

    def __enter__(self) -> None:
        self.group.enter(self.listener)

    def __exit__(self, *error: Any) -> None:
        self.group.leave(self.listener)
