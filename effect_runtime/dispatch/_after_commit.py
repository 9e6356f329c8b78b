"""After-commit handlers: what a context does about its own events once they are committed.

Data for the workers: what is handled, in which queue and lane, what a failure means. Knows no agenda and no worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._refused import Forbidden, Invalid
from effect_runtime.dispatch._signature import Signature, place_of, read_signature
from effect_runtime.dispatch._subscription import Verdict
from effect_runtime.effect import Eff, Program
from effect_runtime.errors import Fault
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Envelope, key_spelling


@frozen(eq=False, repr=False, kw_only=True)
class AfterCommit:
    """A handler of a domain event that runs after the commit. Made by `@context.after_commit(Event, queue=...)`.

    `title` is stored with each of its events: the context's name and the function's, or the `id=` that stands for it.
    """

    title: str
    context: str
    event: type[DomainEvent[Any]]
    queue: EventQueue
    key: str | None
    function: Callable[[Any], Program[Any, Any, Any]]
    body: Callable[[Any], Eff[Any, Any, Any]]
    ignore: tuple[type, ...]
    dead_letter: tuple[type, ...]

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.function.__name__

    @property
    def place(self) -> str:
        """Return where the handler is defined."""
        return place_of(self.function)

    def signature(self) -> Signature | Fault:
        """Read the annotations."""
        return read_signature(self.function)

    def program(self, event: Any) -> Eff[Any, Any, Any]:
        """Describe the bare body: for unit tests."""
        return self.body(event)

    def key_of(self, event: DomainEvent[Any]) -> str | None:
        """Return the lane of an event, or None where the handler has no key; raises `errors.Unserializable`."""
        return None if self.key is None else key_spelling(self.event, self.key).of(event)

    def verdict(self, failure: object) -> Verdict:
        """Say what a declared failure means: `Invalid` and `Forbidden` are dead letters unless mapped otherwise."""
        if isinstance(failure, self.ignore):
            return "ignore"
        return "dead_letter" if isinstance(failure, (*self.dead_letter, Invalid, Forbidden)) else "retry"

    def __repr__(self) -> str:
        return f"<AfterCommit {self.title} on {self.event.__name__}>"


@frozen(kw_only=True)
class VolatileItem:
    """An event of a volatile queue on its way to one handler: what an `AgendaItem` is in memory.

    `envelope` carries id, lane and causes; its `data` is empty, because `event` was never encoded.
    """

    reaction: str
    event: DomainEvent[Any]
    envelope: Envelope
