"""The wire inside one process: publishing calls the subscription and waits for its commit.

Nothing is queued here, so nothing can be lost here: what a subscription did not accept stays with the publisher. Knows
bytes and callables only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import final

from anyio import CancelScope, Event
from attrs import define, field

from effect_runtime.errors import AlreadyListening, DestinationUnavailable, MessageRejected
from effect_runtime.integration import Features, Message, Receive


@define(eq=False)
class _Listener:
    """One subscription that listens, and the receives that are running for it now."""

    topic: str
    receive: Receive
    running: set[CancelScope] = field(factory=set)
    quiet: Event | None = None

    async def silence(self) -> None:
        """Wait until no receive is running; cancelled, cancel those that are and wait for their end."""
        try:
            await self._ended()
        finally:
            for scope in self.running:
                # Only when our own wait was cut short: each leaves nothing or all, and its publisher keeps the event.
                scope.cancel()
            with CancelScope(shield=True):  # they are being cancelled, so this ends; nobody may run after us
                await self._ended()

    async def _ended(self) -> None:
        while self.running:
            self.quiet = Event()
            await self.quiet.wait()

    def left(self, scope: CancelScope) -> None:
        """Forget a receive that has ended."""
        self.running.remove(scope)
        if not self.running and self.quiet is not None:
            self.quiet.set()


@final
class InProcess:
    """A wire without a broker. Every subscription is a destination of its own, named by its id.

    One value serves one application. Durable when the publishing context has an outbox: `publish` returns after the
    subscription's own commit.
    """

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: dict[str, _Listener] = {}

    def __repr__(self) -> str:
        return "InProcess()"

    @property
    def features(self) -> Features:
        """Return what it promises: no pipelining, no redelivery of its own, one destination per subscription."""
        return Features(durable=False, ordered_pipelining=False, redelivers=False, per_subscription=True)

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:  # the port
        """Return the subscriptions themselves."""
        return tuple(subscriptions)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: there is no connection."""
        yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Deliver to `receive` while entered; leaving waits for the receives that are running.

        Raises `errors.AlreadyListening` for a subscription that is listening already.
        """
        if subscription in self._listeners:
            raise AlreadyListening(subscription)
        listener = self._listeners[subscription] = _Listener(topic, receive)
        try:
            yield
        finally:
            # First: what is published from now on is refused, and the receives that are running can only become fewer.
            del self._listeners[subscription]
            await listener.silence()

    async def publish(self, destination: str, message: Message) -> None:
        """Call the subscription and return after its commit.

        Whatever it raises is trouble of the destination, unless it is `errors.MessageRejected`: a subscription turns
        trouble of a message into a dead letter by itself.
        """
        listener = self._listeners.get(destination)
        if listener is None:
            raise DestinationUnavailable(destination, reason="it is not listening in this process")
        scope = CancelScope()
        listener.running.add(scope)
        try:
            with scope:
                await listener.receive(message)
                return
        # What the consumer says in the wire's own words. Any other error is of its store or of its code: it accepted
        # nothing, so the event stays due and spends no attempt.
        except (DestinationUnavailable, MessageRejected):
            raise
        except Exception as error:
            raise DestinationUnavailable(destination, reason=f"{type(error).__name__}: {error}") from error
        finally:
            listener.left(scope)
        # Our scope was cancelled, and the cancellation ended there: the publisher is well, its destination is gone.
        raise DestinationUnavailable(destination, reason="it stopped listening")
