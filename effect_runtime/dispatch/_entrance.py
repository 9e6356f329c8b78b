"""Enqueuing from outside: an event for after-commit handlers that no unit of work has emitted.

Waits for room first, with nothing open, then writes in a unit of its own. Knows no worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from effect_runtime.dispatch._attempts import Job, carry_out
from effect_runtime.dispatch._home import Home
from effect_runtime.dispatch._items import Reactions, reactions_of_events
from effect_runtime.dispatch._nesting import answer_nested
from effect_runtime.dispatch._queues import Acknowledgement, Handled
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._refused import QueueFull
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.dispatch._unit import Unit
from effect_runtime.errors import CommandNotDone, ForeignEvent
from effect_runtime.events import DomainEvent


async def enqueue_outside(
    homes: Iterable[Home],
    event: Any,
    request: MessageContext,
    *,
    wait: timedelta | None,
    enter: Callable[[Home, str], None],
) -> Acknowledgement | None:
    """Enqueue an event from a door; with `wait`, return what became of it in that time.

    `enter` refuses whoever has a transaction of the event's context open: its item would wait for that.
    An event that nobody hears is fine. Raises `errors.CommandNotDone` with `QueueFull` where there was no room in
    time; nothing is enqueued then.
    """
    if not isinstance(event, DomainEvent):
        fix = "Enqueue an instance of a DomainEvent."
        raise ForeignEvent(type(event).__qualname__, place="enqueue", reason="it is no domain event", fix=fix)
    home = next((home for home in homes if type(event) in home.after_commits), None)
    if home is None:
        return None if wait is None else Handled()
    enter(home, f"{home.name}.enqueue")
    now = home.host.time.now()
    reactions = reactions_of_events(home, request, (event,), causation=request.causation, at=now)
    full = await home.queues.room(reactions.queues, more=1)
    if full is not None:
        raise CommandNotDone(f"{home.name}.enqueue", QueueFull(full.name, full.capacity))
    if wait is None:
        await _write(home, request, reactions)
        return None
    # Before the write: an item that ended between the commit and the watch would be waited for in vain.
    with home.queues.expect(reactions.ids) as expectation:
        await _write(home, request, reactions)
        return await expectation.acknowledged(wait)


async def _write(home: Home, request: MessageContext, reactions: Reactions) -> None:
    if not reactions.durable:
        home.queues.put(reactions.volatile)
        return

    async def nothing(unit: Unit) -> None:
        """Leave the unit to its commit, which writes the items."""

    job = Job(
        title=f"{home.name}.enqueue",
        name="enqueue",
        home=home,
        request=request,
        work=nothing,
        answer=None,
        answer_call=partial(answer_nested, refusals=Refusals(home, request)),
        reactions=reactions,
    )
    await carry_out(job)
