"""The wire as its users see it: the port that a transport adapter implements.

Knows messages as bytes and what acceptance means. Knows no store, no retry policy, no Python event class.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from attrs import field, frozen


@frozen
class Message:
    """A message as it travels: a body (CloudEvents, structured JSON mode) and flat text headers."""

    body: bytes
    headers: Mapping[str, str] = field(factory=dict)
    key: str | None = None


Receive: TypeAlias = Callable[[Message], Awaitable[None]]
"""Settles one message: returns once it is durably applied, parked, absorbed or dead-lettered; raises otherwise."""


@frozen(kw_only=True)
class Features:
    """What a transport promises, so that one contract suite can hold each to its own word."""

    durable: bool
    ordered_pipelining: bool
    redelivers: bool
    per_subscription: bool
    """True: each subscription is a destination of its own. False: one destination, the broker fans out."""


class Transport(Protocol):
    """Move messages from a relay to subscriptions.

    1. `publish` returns only after the destination has accepted the message (a broker's confirm; in process: the
       subscription's inbox transaction has committed). Returning early loses messages.
    2. `publish` raises `errors.DestinationUnavailable` for trouble of the destination (unreachable, timeout,
       capacity): no attempt is spent. It raises `errors.MessageRejected` for trouble of the message.
    3. A message whose `Receive` raised, or was cancelled, is not accepted: it is delivered again or `publish` raises.
    4. Two messages of one (destination, key) published one after the other arrive in that order.
    5. After `listening` is left, no `Receive` of it is running or will be started.
    """

    @property
    def features(self) -> Features:
        """Return what this transport promises."""
        ...

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return where events of `topic` must be accepted, given the subscriptions known to this application."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open connections; drain and close them on the way out."""
        ...

    def listening(self, subscription: str, topic: str, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Deliver the messages of `topic` for `subscription` to `receive` while entered."""
        ...

    async def publish(self, destination: str, message: Message) -> None:
        """Hand one message over and wait until it is accepted."""
        ...
