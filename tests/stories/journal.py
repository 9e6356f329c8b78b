"""One ordered list of what a running app does: operations, transactions, and what passes the wire.

Everything is seen from outside, through ports: an interceptor, a store and a wire that write down and pass on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from attrs import field, frozen

from effect_runtime import DomainEvent, Topic
from effect_runtime.dispatch import Ledger
from effect_runtime.effect import Operation
from effect_runtime.integration import Envelope, Features, Message, Receive, decode_message
from effect_runtime.interpreter import Host, Perform
from effect_runtime.transports import InProcess


@frozen
class Journal:
    """What happened, a line each: who, then what."""

    lines: list[str] = field(factory=list)

    def write(self, who: str, what: str) -> None:
        """Add a line."""
        self.lines.append(f"{who:<8} {what}")

    def intercept(self, names: dict[type, str]) -> Callable[[Perform], Perform]:
        """Return an interceptor that writes each operation down before it is performed; `names` tells contexts."""

        def wrap(perform: Perform) -> Perform:
            async def written(operation: Operation, runtime: Any) -> Any:
                told = [type(one).__name__ for one in operation.args if isinstance(one, DomainEvent | Topic)]
                self.write(names.get(type(runtime), "app"), " ".join([operation.place(runtime), *told]))
                return await perform(operation, runtime)

            return written

        return wrap


@frozen
class WatchedStore:
    """A store whose units write down when they begin and how they end."""

    journal: Journal
    who: str
    store: Any

    @property
    def name(self) -> str:
        """Return the store's own name."""
        name: str = self.store.name
        return name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store."""
        async with self.store.opened(host) as opened:
            yield _Watched(opened, unit=lambda **kind: self._unit(opened, **kind))

    @asynccontextmanager
    async def _unit(self, opened: Any, **kind: Any) -> AsyncIterator[Any]:
        async with opened.unit(**kind) as unit:

            async def begin() -> None:
                if not unit.is_open:
                    self.journal.write(self.who, "BEGIN")
                await unit.begin()

            async def claim(command_id: str, fingerprint: bytes) -> Any:
                if not unit.is_open:
                    self.journal.write(self.who, "BEGIN")
                return await unit.claim(command_id, fingerprint)

            async def commit(ledger: Ledger) -> tuple[Envelope, ...]:
                told = "".join(f" with {event.type}" for event in ledger.events)
                envelopes: tuple[Envelope, ...] = await unit.commit(ledger)
                self.journal.write(self.who, f"COMMIT{told}")
                return envelopes

            yield _Watched(unit, begin=begin, claim=claim, commit=commit)


class _Watched:
    """Something of a store, with some of its methods replaced."""

    def __init__(self, subject: Any, **replaced: Any) -> None:
        self._subject = subject
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._subject, name)


@frozen
class WatchedWire:
    """The wire inside the process, written down on both sides of each delivery."""

    journal: Journal
    wire: InProcess = field(factory=InProcess)

    @property
    def features(self) -> Features:
        """Return what the wire promises."""
        return self.wire.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return where events must be accepted."""
        return self.wire.destinations(topic, subscriptions)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open the wire."""
        return self.wire.running()

    def listening(self, subscription: str, topic: str, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Deliver to a subscription."""
        return self.wire.listening(subscription, topic, receive)

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over and wait until it is accepted."""
        envelope = decode_message(message)
        self.journal.write("relay", f"publish {envelope.type} #{envelope.sequence} to {destination}")
        await self.wire.publish(destination, message)
        self.journal.write("relay", "accepted")
