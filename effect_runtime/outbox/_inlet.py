"""One subscription as the consumer sees it: a value with the functions that it needs and nothing else.

Knows no store and no dispatcher: the composition root builds inlets from subscriptions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

from attrs import frozen

from effect_runtime.effect import Exit, Schedule
from effect_runtime.integration import Envelope
from effect_runtime.outbox._inbox import Poison, Start, Verdict
from effect_runtime.outbox._ports import InboxUnit

Admit: TypeAlias = Callable[[InboxUnit], Awaitable[bool]]
"""Writes the inbox row of an event inside a unit; False when the event must not be handled now."""


class Deliver(Protocol):
    """Run a subscription's handler in a unit of its own context.

    1. It opens a unit, begins it and calls `admit`. 2. False: it commits what `admit` wrote and runs nothing.
    3. True: it runs the handler with correlation and causation of the envelope, drains domain events and commits.
    4. It returns `Succeeded`, or `Failed` or `Died` when nothing was written. 5. It may call `admit` again, in a new
    unit, when a conflict makes it start over.
    """

    async def __call__(self, event: Any, envelope: Envelope, *, admit: Admit) -> Exit[Any, Any]:
        """Deliver one event."""


@frozen(kw_only=True)
class Inlet:
    """What a consumer knows of one subscription.

    `handles` tells by wire identity whether there is a handler. `decode` turns an envelope into an event, upcast to
    the version of its class, and raises `errors.UndecodableMessage`. `verdict` maps a handler's declared failure.
    `tenant`: when set, events of other tenants are refused.
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
