"""The outbox of one unit of work: integration events collected while a handler runs, and the effect that adds one.

It only collects. What becomes of them is decided at the commit, by a transport interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, Never, Protocol

from typing_extensions import TypeVar

from effect_runtime.effect import Do, Eff, do
from effect_runtime.errors import ForeignEvent, QueueClosed
from effect_runtime.integration._identity import TOPIC, WIRE, statement_of
from effect_runtime.integration._topic import Topic
from effect_runtime.runtime import ask, operation

Ev = TypeVar("Ev", bound=Topic)
Ev_contra = TypeVar("Ev_contra", contravariant=True, bound=Topic)


class Outbox(Generic[Ev_contra]):
    """Collect the integration events of one unit of work, in the order in which they are added.

    Owned by dispatch, which makes one for each unit, reads it at the commit and closes it. `topics` are those that
    the context publishes; None admits every topic.
    """

    __slots__ = ("_closed", "_events", "_topics")

    def __init__(self, topics: Iterable[type[Topic]] | None = None) -> None:
        self._events: list[Topic] = []
        self._topics = None if topics is None else tuple(topics)
        self._closed = False

    def add(self, event: Ev_contra) -> None:
        """Collect one event; `publish` does this as an effect.

        Raises `errors.QueueClosed` after the unit ended, `errors.ForeignEvent` for what the context may not publish.
        """
        if self._closed:
            raise QueueClosed("outbox", event=type(event).__name__)
        self._refuse_foreign(event)
        self._events.append(event)

    def mark(self) -> int:
        """Return the place of the next event, for `cut`."""
        return len(self._events)

    def cut(self, mark: int) -> None:
        """Forget every event that was added after `mark` was taken."""
        del self._events[mark:]

    def close(self) -> None:
        """Refuse further events. Closing twice is harmless; what was collected can still be read."""
        self._closed = True

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Topic]:
        # A copy: nobody who walks through it sees what is published meanwhile.
        return iter(tuple(self._events))

    def __repr__(self) -> str:
        return f"<Outbox: {len(self._events)}{', closed' if self._closed else ''}>"

    def _refuse_foreign(self, event: object) -> None:
        kind = type(event)
        if not isinstance(event, Topic) or WIRE not in vars(kind):
            fix = "Publish an instance of a class that has its own @integration_event; tell the inside with emit(...)."
            raise ForeignEvent(statement_of(kind), place="publish", reason="it is no integration event", fix=fix)
        if self._topics is not None and not isinstance(event, self._topics):
            reason = f"its topic '{getattr(kind, TOPIC).name}' is not published by this context"
            fix = "Name the topic in Context(publishes=[...]) of the context that owns it."
            raise ForeignEvent(statement_of(kind), place="publish", reason=reason, fix=fix)


class HasOutbox(Protocol[Ev_contra]):
    """Be a runtime that can publish events of one topic, or of several."""

    @property
    def outbox(self) -> Outbox[Ev_contra]:
        """Return the outbox of the current unit of work."""
        ...


def publish(event: Ev) -> Eff[None, Never, HasOutbox[Ev]]:
    """Describe telling other contexts: the event is collected, and leaves only if the unit of work commits.

    Performed as the operation `Outbox.add`, so interceptors see it.
    """
    return _publishing(event)


_RUNTIME: Final = ask[HasOutbox[Any]]()


@do
def _publishing(event: Topic) -> Do[None, Never, HasOutbox[Any]]:
    runtime = yield from _RUNTIME
    yield from add(runtime.outbox, event)


@operation(kind="local", idempotent=True)
async def add(outbox: Outbox[Any], event: Topic) -> None:
    """Add as an operation: interceptors know it as `Outbox.add`."""
    outbox.add(event)
