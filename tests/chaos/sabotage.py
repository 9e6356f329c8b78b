"""Broken variants of the library, one promise each, built from wrapped ports: the oracle must find every one.

They show that the kill test can fail, and what it then says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Final, final

from anyio import create_task_group, sleep
from anyio.abc import TaskGroup
from attrs import define, evolve, frozen

from effect_runtime.dispatch import Ledger as Commit
from effect_runtime.integration import Envelope, Features, Message, Receive, Transport, encode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox import Address, DeadLetter, InboxState, Settlement
from tests.chaos.wounds import Passing

SABOTAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "drop-inbox": "the inbox forgets what it has settled",
        "ack-early": "a message is acknowledged before it is handled",
        "publish-before-commit": "events are published before their commit",
        "mark-before-publish": "an event is recorded as accepted before it is published",
        "drop-fence": "a settlement counts although its lane has been lent on",
        "bury-late": "an event is acknowledged before its dead letter is stored",
    }
)

LATER: Final = 0.4
"""Seconds that a hasty wire or store keeps what it has said it is done with."""


@final
@frozen
class SabotagedStore:
    """A store whose units forget their inbox, or run `before` each commit of a command; or one without a fence.

    `late`: dead letters are stored when their events have long been acknowledged.
    """

    store: Any
    forgets: bool = False
    before: Callable[[Sequence[Envelope]], Awaitable[None]] | None = None
    unfenced: bool = False
    late: bool = False

    @property
    def name(self) -> str:
        """Return the store's own name."""
        name: str = self.store.name
        return name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store."""
        async with self.store.opened(host) as opened, create_task_group() as group:

            async def settle(settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
                stale: tuple[Settlement, ...] = await opened.settle(settlements)
                return await _forced(opened, stale) if self.unfenced else stale

            yield Passing(opened, unit=lambda **kind: self._unit(opened, group, **kind), settle=settle)
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def _unit(self, opened: Any, group: TaskGroup, **kind: Any) -> AsyncIterator[Any]:
        async with opened.unit(**kind) as unit:

            async def commit(ledger: Commit) -> tuple[Envelope, ...]:
                if self.before is not None and ledger.answer is not None:
                    await self.before(ledger.events)
                events: tuple[Envelope, ...] = await unit.commit(ledger)
                return events

            async def bury(letter: DeadLetter) -> None:
                group.start_soon(_buried_later, opened, letter)

            replaced: dict[str, Any] = {"state": _forgetful, "settled": _forgotten} if self.forgets else {}
            if self.late:
                replaced["bury"] = bury
            yield Passing(unit, commit=commit, inbox=Passing(unit.inbox, **replaced))


async def _forced(opened: Any, stale: Sequence[Settlement]) -> tuple[Settlement, ...]:
    """Count what stale settlements say was accepted, as if nobody had borrowed their lanes since."""
    async with opened.unit() as unit:
        for each in stale:
            await unit.session.execute(
                "UPDATE er_lane SET last = last + ? WHERE destination = ? AND topic = ? AND key = ?",
                (each.accepted, each.lane.destination, each.lane.topic, each.lane.key),
            )
        await unit.commit(Commit())
    return ()


async def _buried_later(opened: Any, letter: DeadLetter) -> None:
    await sleep(LATER)
    async with opened.unit() as unit:
        await unit.begin()
        await unit.inbox.bury(letter)
        await unit.commit(Commit())


async def _forgetful(address: Address) -> InboxState:
    mark = None if address.sequence is None else address.sequence - 1
    return InboxState(seen=False, held=False, mark=mark, blocked=False, waiting=0)


async def _forgotten(address: Address, outcome: str) -> None:
    pass


@final
@define
class HastyWire:
    """A wire that says "accepted" first and acts afterwards: when it receives, or when it publishes."""

    wire: Transport
    when: str
    group: TaskGroup | None = None

    @property
    def features(self) -> Features:
        """Return what the wire promises."""
        return self.wire.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return where events must be accepted."""
        return self.wire.destinations(topic, subscriptions)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the wire; what is not done when it closes is never done."""
        async with self.wire.running(), create_task_group() as self.group:
            yield
            self.group.cancel_scope.cancel()

    def listening(self, subscription: str, topic: str, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Deliver to a subscription."""

        async def received(message: Message) -> None:
            await self._do("receiving", receive, message)

        return self.wire.listening(subscription, topic, received)

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over."""

        async def published(message: Message) -> None:
            await self.wire.publish(destination, message)

        await self._do("publishing", published, message)

    async def _do(self, what: str, act: Receive, message: Message) -> None:
        assert self.group is not None  # the wire is running
        if self.when == what:
            self.group.start_soon(_later, act, message)
        else:
            await act(message)


async def _later(act: Receive, message: Message) -> None:
    await sleep(LATER)
    await _ignoring_errors(act, message)


async def _ignoring_errors(act: Receive, message: Message) -> None:
    try:
        await act(message)
    except Exception:
        return  # nobody is left to be told


def sabotaged_wire(wire: Transport, sabotage: str | None) -> Transport:
    """Return the wire, broken if `sabotage` is one of its kind."""
    match sabotage:
        case "ack-early":
            return HastyWire(wire, "receiving")
        case "mark-before-publish":
            return HastyWire(wire, "publishing")
        case _:
            return wire


def sabotaged_store(store: Any, sabotage: str | None, wire: Transport) -> Any:
    """Return the store, broken if `sabotage` is one of its kind."""

    async def send(events: Sequence[Envelope]) -> None:
        for event in events:
            await _ignoring_errors(partial(wire.publish, "book.payments"), _unkeyed(event))

    match sabotage:
        case "drop-inbox":
            return SabotagedStore(store, forgets=True)
        case "publish-before-commit":
            return SabotagedStore(store, before=send)
        case "drop-fence":
            return SabotagedStore(store, unfenced=True)
        case "bury-late":
            return SabotagedStore(store, late=True)
        case _:
            return store


def _unkeyed(event: Envelope) -> Message:
    """Encode an event that has no number yet: without a key it stands for itself."""
    return encode_message(evolve(event, key=None))
