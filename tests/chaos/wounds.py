"""The failpoints in place: wrapped ports of the library, which pass everything on.

Store, unit of work, inbox, wire, and one interceptor; the library itself is as it is shipped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, final

from attrs import frozen

from effect_runtime.dispatch import AgendaEntry
from effect_runtime.dispatch import Ledger as Commit
from effect_runtime.effect import Call, Operation
from effect_runtime.errors import MessageRejected
from effect_runtime.integration import Envelope, Features, Message, Receive, Transport, decode_message
from effect_runtime.interpreter import Host, Perform
from effect_runtime.outbox import Claimed, DeadLetter, Settlement
from tests.chaos.body import Disk, SteppedTime, WatchedBlocking
from tests.chaos.cures import Sickness, is_cured
from tests.chaos.failpoints import Failpoints
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Applied, Payments, keep_receipt, post_payment, remind

P = ParamSpec("P")
T = TypeVar("T")


class Passing:
    """Something with some of its attributes replaced; the others are its own."""

    def __init__(self, subject: Any, **replaced: Any) -> None:
        self._subject = subject
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._subject, name)


@final
@frozen
class WoundedStore:
    """A store with F2 to F6, F9, F14 and F16. It takes down every settlement that came too late."""

    store: Any
    failpoints: Failpoints
    ledger: Ledger
    blocking: WatchedBlocking
    time: SteppedTime
    disk: Disk

    @property
    def name(self) -> str:
        """Return the store's own name."""
        name: str = self.store.name
        return name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store."""
        # While a store opens, the time is asked for once: when there is something to migrate, just before it begins.
        self.time.then = partial(self.failpoints.passed, "F16")
        async with self.store.opened(host) as opened:
            self.time.then = None
            self.disk.writers.append(opened._writer.connection)

            def unit(**kind: Any) -> AbstractAsyncContextManager[Any]:
                return self._unit(opened, **kind)

            async def claim(**asked: Any) -> tuple[Claimed, ...]:
                claimed: tuple[Claimed, ...] = await opened.claim(**asked)
                if claimed:
                    self.failpoints.passed("F6")
                return claimed

            async def claim_agenda(**asked: Any) -> tuple[AgendaEntry, ...]:
                entries: tuple[AgendaEntry, ...] = await opened.claim_agenda(**asked)
                if entries:
                    self.failpoints.passed("F6")
                return entries

            async def settle(settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
                return await self._settle(opened, settlements)

            async def close_dead_letter(id: str, state: str) -> bool:
                self.failpoints.passed("F14")
                closed: bool = await opened.close_dead_letter(id, state)
                return closed

            yield Passing(
                opened,
                unit=unit,
                claim=claim,
                claim_agenda=claim_agenda,
                settle=settle,
                close_dead_letter=close_dead_letter,
            )

    async def _settle(self, opened: Any, settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
        """Settle in two halves, which the port allows, with a point between them."""
        half = (len(settlements) + 1) // 2
        if any(each.then == "quarantine" for each in settlements):
            self.failpoints.passed("F14")
        stale = tuple(await opened.settle(settlements[:half]))
        if any(each.accepted for each in settlements):
            self.failpoints.passed("F9")
        if len(settlements) > half:
            stale = (*stale, *await opened.settle(settlements[half:]))
        if stale:
            self.ledger.jot("stale", count=len(stale))
        return stale

    @asynccontextmanager
    async def _unit(self, opened: Any, **kind: Any) -> AsyncIterator[Any]:
        answered = False

        def written() -> None:
            self.failpoints.passed("F2")
            self.failpoints.passed("F3")

        async with opened.unit(**kind) as unit:

            async def commit(ledger: Commit) -> tuple[Envelope, ...]:
                nonlocal answered
                answered = ledger.answer is not None
                # The first thing that a commit does to the database is to write its ledger, the outbox rows in it.
                self.blocking.then = written if answered else None
                try:
                    events: tuple[Envelope, ...] = await unit.commit(ledger)
                finally:
                    self.blocking.then = None
                if answered:
                    self.failpoints.passed("F4")
                return events

            async def bury(letter: DeadLetter) -> None:
                await unit.inbox.bury(letter)
                self.failpoints.passed("F14")

            yield Passing(unit, commit=commit, inbox=Passing(unit.inbox, bury=bury))
        if answered:
            self.failpoints.passed("F5")


@final
@frozen
class WoundedWire:
    """A wire with F8, F10 and F13, and with F7 for a `blind` one, which cannot tell when it has sent.

    It takes down every message that is received, and rejects what it cannot bear until that is cured.
    """

    wire: Transport
    failpoints: Failpoints
    ledger: Ledger
    folder: Path
    blind: bool

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

        async def received(message: Message) -> None:
            self.ledger.jot("received", subscription=subscription, event=decode_message(message).id)
            self.failpoints.passed("F10")
            await receive(message)
            self.failpoints.passed("F13")

        return self.wire.listening(subscription, topic, received)

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over and wait until it is accepted."""
        told = json.loads(decode_message(message).data)
        if told.get("sickness") == Sickness.WIRE.value and not is_cured(self.folder, told["payment"]):
            raise MessageRejected(destination, reason="it is sick")
        if self.blind:
            self.failpoints.passed("F7")
        await self.wire.publish(destination, message)
        self.failpoints.passed("F8")


def wounded(failpoints: Failpoints) -> Callable[[Perform], Perform]:
    """Return an interceptor with F1, F11 and F12."""
    handlers = (post_payment, keep_receipt, remind)

    def intercept(perform: Perform) -> Perform:
        def performed(operation: Operation, runtime: Any) -> Awaitable[Any]:
            if isinstance(operation, Call) and operation.handler in handlers:
                failpoints.passed("F11")
            elif operation.answers_to(Payments.add, runtime):
                failpoints.passed("F1")
            elif operation.answers_to(Applied.add, runtime):
                return _then(perform(operation, runtime), lambda: failpoints.passed("F12"))
            return perform(operation, runtime)

        return performed

    return intercept


async def _then(work: Awaitable[Any], done: Callable[[], None]) -> Any:
    value = await work
    done()
    return value
