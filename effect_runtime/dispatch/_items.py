"""What is put on the agenda: an item for each after-commit handler of an event, and one for a command sent later.

Builds values; writes nothing. Knows no unit of work.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from effect_runtime.dispatch._after_commit import AfterCommit, VolatileItem
from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._home import Home, due_reaction
from effect_runtime.dispatch._ports import AgendaItem
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Envelope, StoredForm, refuse_flaws

DUE: Final = "due"
"""The queue of all due commands, as an item's envelope names it."""


@frozen
class Reactions:
    """What after-commit handlers will do about some events: items of both kinds of queue, and those queues."""

    durable: tuple[AgendaItem, ...]
    volatile: tuple[VolatileItem, ...]
    queues: tuple[EventQueue, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of all items."""
        return (*(item.envelope.id for item in self.durable), *(item.envelope.id for item in self.volatile))


def reactions_of_events(
    home: Home, request: MessageContext, events: Iterable[DomainEvent[Any]], *, causation: str | None, at: datetime
) -> Reactions:
    """Make an item for each after-commit handler of each event, in their order.

    Raises `errors.Unserializable` for an event that does not hold what its annotations say.
    """
    durable, volatile, queues = list[AgendaItem](), list[VolatileItem](), dict[EventQueue, None]()
    for event in events:
        for handler in home.after_commits.get(type(event), ()):
            # A dict as a set with an order: back-pressure asks the queues in the order of registration, in every
            # process.
            queues[handler.queue] = None
            envelope = _envelope(
                home,
                request,
                _form(home, handler, event),
                topic=handler.queue.name,
                key=handler.key_of(event),
                causation=causation,
                at=at,
            )
            if handler.queue.durable:
                durable.append(AgendaItem(reaction=handler.title, envelope=envelope))
            else:
                volatile.append(VolatileItem(reaction=handler.title, event=event, envelope=envelope))
    return Reactions(tuple(durable), tuple(volatile), tuple(queues))


def due_item(
    home: Home, request: MessageContext, command: object, *, due: datetime, causation: str, at: datetime
) -> AgendaItem:
    """Make the item of a command with a stored identity; raises `errors.Unserializable`."""
    form = home.registry.encode(command)
    envelope = _envelope(home, request, form, topic=DUE, key=None, causation=causation, at=at)
    return AgendaItem(reaction=due_reaction(home.name, form.name), envelope=envelope, due=due)


def _form(home: Home, handler: AfterCommit, event: DomainEvent[Any]) -> StoredForm:
    if handler.queue.durable:
        return home.registry.encode(event)
    return StoredForm(type(event).__qualname__, 1, b"{}")  # It never leaves the memory, where it stands beside this.


def _envelope(
    home: Home,
    request: MessageContext,
    form: StoredForm,
    *,
    topic: str,
    key: str | None,
    causation: str | None,
    at: datetime,
) -> Envelope:
    envelope = Envelope(
        id=str(home.host.entropy.uuid()),
        source=home.source,
        type=form.name,
        version=form.version,
        topic=topic,
        time=at,
        data=form.data,
        correlation=request.correlation,
        key=key,
        causation=causation,
        traceparent=request.traceparent,
        tracestate=request.tracestate,
        tenant=request.tenant or home.tenant,
    )
    refuse_flaws(envelope)
    return envelope
