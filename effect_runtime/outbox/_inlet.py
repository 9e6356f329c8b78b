"""One subscription as the consumer sees it: a value with the functions that it needs and nothing else.

Knows no store. `inlet_of` builds one from a context's subscription and the application's dispatcher.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from attrs import frozen

from effect_runtime.dispatch import Subscription
from effect_runtime.effect import Exit, Schedule
from effect_runtime.integration import Envelope, EventRegistry, Secrets, decode_event, topic_name
from effect_runtime.interpreter import Recording
from effect_runtime.outbox._inbox import Poison, Start, Verdict
from effect_runtime.outbox._ports import InboxUnit

_NO_SECRETS: Final = Secrets()

Admit: TypeAlias = Callable[[InboxUnit], Awaitable[bool]]
"""Writes the inbox row of an event inside a unit; False when the event must not be handled now."""


class Deliver(Protocol):
    """Run a subscription's handler in a unit of its own context.

    1. It opens a unit, begins it and calls `admit`. 2. False: it commits what `admit` wrote and runs nothing.
    3. True: it runs the handler with correlation and causation of the envelope, drains domain events and commits.
    4. It returns `Succeeded`, or `Failed` or `Died` when nothing was written. 5. It may call `admit` again, in a new
    unit, when a conflict makes it start over. 6. `recording` holds the operations of the handler's last run.
    """

    async def __call__(self, event: Any, envelope: Envelope, *, admit: Admit, recording: Recording) -> Exit[Any, Any]:
        """Deliver one event."""
        ...


@frozen(kw_only=True)
class Inlet:
    """What a consumer knows of one subscription.

    `handles` tells by wire identity whether there is a handler. `decode` turns an envelope into an event, upcast to
    the version of its class, and raises `errors.UndecodableMessage`. `verdict` maps a handler's declared failure.
    `tenant`: when set, events of other tenants are refused. `secrets` are covered in what dead letters keep.
    """

    id: str
    topic: str
    handles: Callable[[str], bool]
    decode: Callable[[Envelope], Any]
    deliver: Deliver
    verdict: Callable[[Any, object], Verdict]
    schedule: Schedule
    start: Start = "now"
    poison: Poison = "block"
    parked_limit: int = 1_000
    gap_deadline: timedelta = timedelta(minutes=5)
    tenant: str | None = None
    secrets: Secrets = _NO_SECRETS


class SubscriptionDispatch(Protocol):
    """What can deliver to any subscription: dispatch's `Dispatcher`. Its duties are those of `Deliver`."""

    async def deliver(
        self, subscription: Subscription[Any], event: Any, envelope: Envelope, *, admit: Admit, recording: Recording
    ) -> Exit[Any, Any]:
        """Deliver one event to one subscription."""
        ...


def inlet_of(
    subscription: Subscription[Any],
    dispatcher: SubscriptionDispatch,
    *,
    tenant: str | None = None,
    secrets: Secrets = _NO_SECRETS,
) -> Inlet:
    """Return how a consumer sees a subscription. Call it once all handlers are registered."""
    registry = EventRegistry((subscription.topic,))
    handled = {handler.event: handler for handler in subscription.handlers}
    types = frozenset(name for name in registry.names if registry.event(name) in handled)

    def verdict(event: Any, failure: object) -> Verdict:
        return handled[type(event)].verdict(failure)

    return Inlet(
        id=subscription.id,
        topic=topic_name(subscription.topic),
        handles=types.__contains__,
        decode=lambda envelope: decode_event(envelope, registry),
        deliver=partial(dispatcher.deliver, subscription),
        verdict=verdict,
        schedule=subscription.schedule,
        start=subscription.start,
        poison=subscription.poison,
        parked_limit=subscription.parked_limit,
        gap_deadline=subscription.gap_deadline,
        tenant=tenant,
        secrets=secrets,
    )
