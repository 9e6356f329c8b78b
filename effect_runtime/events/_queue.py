"""The queue of domain events of one unit of work, and the effect that adds to it.

First in, first out. Who handles an event, and when the queue is drained, is for dispatch to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Never, Protocol, TypeVar

from attrs import frozen

from effect_runtime.effect import Do, Eff, do
from effect_runtime.errors import ForeignEvent, QueueClosed
from effect_runtime.events._domain_event import DomainEvent
from effect_runtime.runtime import ask, operation

F = TypeVar("F")


@frozen
class Enqueued:
    """Mark a domain event that only after-commit handlers hear."""

    event: DomainEvent[Any]


class Events:
    """Hold the domain events of one unit of work, in the order in which they were emitted or enqueued.

    Owned by dispatch, which makes one for each unit, handles its events before the commit and closes it; what was only
    enqueued stands in it as `Enqueued`. `modules` are the packages of its context; None admits events from anywhere.
    """

    __slots__ = ("_closed", "_events", "_modules")

    def __init__(self, modules: tuple[str, ...] | None = None) -> None:
        self._events: list[DomainEvent[Any] | Enqueued] = []
        self._modules = modules
        self._closed = False

    def add(self, event: DomainEvent[Any]) -> None:
        """Append one event; `emit` does this as an effect.

        Raises `errors.QueueClosed` after the unit ended, `errors.ForeignEvent` for another context's event.
        """
        self._admit(event, "emit")
        self._events.append(event)

    def enqueue(self, event: DomainEvent[Any]) -> None:
        """Append one event for after-commit handlers alone; `dispatch.enqueue` does this as an effect.

        Raises as `add` does.
        """
        self._admit(event, "enqueue")
        self._events.append(Enqueued(event))

    def at(self, place: int) -> DomainEvent[Any] | Enqueued:
        """Return the event at a place, counted from 0."""
        return self._events[place]

    def mark(self) -> int:
        """Return the place of the next event, for `cut`."""
        return len(self._events)

    def cut(self, mark: int) -> None:
        """Forget every event that was added after `mark` was taken."""
        del self._events[mark:]

    def close(self) -> None:
        """Refuse further events. Closing twice is harmless."""
        self._closed = True

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[DomainEvent[Any] | Enqueued]:
        # A copy: a handler may emit while somebody walks through it.
        return iter(tuple(self._events))

    def __repr__(self) -> str:
        return f"<Events: {len(self._events)}{', closed' if self._closed else ''}>"

    def _admit(self, event: object, place: str) -> None:
        kind = type(event)
        if self._closed:
            raise QueueClosed("event queue", event=kind.__name__)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if not isinstance(event, DomainEvent):
            fix = f"{place.capitalize()} an instance of a DomainEvent; tell other contexts with publish(...)."
            raise ForeignEvent(name, place=place, reason="it is no domain event", fix=fix)
        if self._modules is not None and not _within(kind.__module__, self._modules):
            reason = f"it is defined outside this context ({', '.join(self._modules) or 'which has no modules'})"
            fix = "Define a domain event of this context's own; another context is told with an integration event."
            raise ForeignEvent(name, place=place, reason=reason, fix=fix)


class HasEvents(Protocol):
    """Be a runtime that can emit domain events."""

    @property
    def events(self) -> Events:
        """Return the event queue of the current unit of work."""
        ...


def emit(event: DomainEvent[F]) -> Eff[None, F, HasEvents]:
    """Describe telling this context, within the transaction: handlers run before the commit and may veto.

    Performed as the operation `Events.add`, so interceptors see it.
    """
    return _emitting(event)


_RUNTIME: Final = ask[HasEvents]()


@do
def _emitting(event: DomainEvent[Any]) -> Do[None, Never, HasEvents]:
    runtime = yield from _RUNTIME
    yield from add(runtime.events, event)


@operation(kind="local", idempotent=True)
async def add(events: Events, event: DomainEvent[Any]) -> None:
    """Add as an operation: interceptors know it as `Events.add`."""
    events.add(event)


@operation(kind="local", idempotent=True)
async def enqueue(events: Events, event: DomainEvent[Any]) -> None:
    """Enqueue as an operation: interceptors know it as `Events.enqueue`; programs use `dispatch.enqueue`."""
    events.enqueue(event)


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
