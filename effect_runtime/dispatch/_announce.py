"""`announce`: tell both sides at once, each event by its marker.

Knows the two kinds of event and nothing of who hears them.
"""

from __future__ import annotations

from typing import Any, Never, Protocol, TypeVar, overload

from effect_runtime.effect import Do, Eff, do
from effect_runtime.events import DomainEvent, HasEvents, emit
from effect_runtime.integration import HasOutbox, Topic, publish

Ev = TypeVar("Ev", bound=Topic)
Ev_contra = TypeVar("Ev_contra", contravariant=True, bound=Topic)
F = TypeVar("F")


class HasEventsAndOutbox(HasEvents, HasOutbox[Ev_contra], Protocol[Ev_contra]):
    """Be a runtime that can emit domain events and publish integration events."""


@overload
def announce(*events: DomainEvent[F]) -> Eff[None, F, HasEvents]: ...
@overload
def announce(*events: Ev) -> Eff[None, Never, HasOutbox[Ev]]: ...
@overload
def announce(*events: DomainEvent[F] | Ev) -> Eff[None, F, HasEventsAndOutbox[Ev]]: ...
def announce(*events: DomainEvent[Any] | Topic) -> Eff[None, Any, Any]:
    """Describe telling all `events` in their order: domain events are emitted, integration events published.

    A pure function that yields its events is a handler's side-car: `yield from announce(*discharge(patient, now))`.
    """
    return _announcing(events)


@do
def _announcing(events: tuple[DomainEvent[Any] | Topic, ...]) -> Do[None, Any, Any]:
    for event in events:
        yield from publish(event) if isinstance(event, Topic) else emit(event)
