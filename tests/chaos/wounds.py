"""The failpoints in place: wrapped ports of the library, which pass everything on.

Store, unit of work, wire, the port for blocking calls, and one interceptor; the library itself is as it is shipped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ParamSpec, TypeVar, final

from attrs import define, field, frozen

from effect_runtime.dispatch import Ledger as Commit
from effect_runtime.effect import Call, Operation
from effect_runtime.integration import Envelope, Features, Message, Receive, Transport, decode_message
from effect_runtime.interpreter import Blocking, Host, Perform, system_host
from effect_runtime.outbox import Claimed, Settlement
from tests.chaos.failpoints import Failpoints
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Applied, Payments, keep_receipt, post_payment

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
@define(eq=False)
class WatchedBlocking:
    """The machine's own blocking calls; `then` is called once, after the next short one."""

    then: Callable[[], None] | None = None
    system: Blocking = field(factory=lambda: system_host().blocking)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks shortly."""
        value = self.system.run(function, *args, **kwargs)
        then, self.then = self.then, None
        if then is not None:
            then()
        return value

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may block long, on a thread."""
        return await self.system.offload(function, *args, **kwargs)


@final
@frozen
class WoundedStore:
    """A store with F2 to F6 and F9."""

    store: Any
    failpoints: Failpoints
    blocking: WatchedBlocking

    @property
    def name(self) -> str:
        """Return the store's own name."""
        name: str = self.store.name
        return name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store."""
        async with self.store.opened(host) as opened:

            def unit(**kind: Any) -> AbstractAsyncContextManager[Any]:
                return self._unit(opened, **kind)

            async def claim(**asked: Any) -> tuple[Claimed, ...]:
                claimed: tuple[Claimed, ...] = await opened.claim(**asked)
                if claimed:
                    self.failpoints.passed("F6")
                return claimed

            async def settle(settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
                return await self._settle(opened, settlements)

            yield Passing(opened, unit=unit, claim=claim, settle=settle)

    async def _settle(self, opened: Any, settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
        """Settle in two halves, which the port allows, with a point between them."""
        half = (len(settlements) + 1) // 2
        stale = await opened.settle(settlements[:half])
        if any(each.accepted for each in settlements):
            self.failpoints.passed("F9")
        if len(settlements) == half:
            return tuple(stale)
        return (*stale, *await opened.settle(settlements[half:]))

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

            yield Passing(unit, commit=commit)
        if answered:
            self.failpoints.passed("F5")


@final
@frozen
class WoundedWire:
    """A wire with F8, F10 and F13, and with F7 for a `blind` one, which cannot tell when it has sent.

    It takes down every message that is received.
    """

    wire: Transport
    failpoints: Failpoints
    ledger: Ledger
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
        if self.blind:
            self.failpoints.passed("F7")
        await self.wire.publish(destination, message)
        self.failpoints.passed("F8")


def wounded(failpoints: Failpoints) -> Callable[[Perform], Perform]:
    """Return an interceptor with F1, F11 and F12."""
    handlers = (post_payment, keep_receipt)

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
