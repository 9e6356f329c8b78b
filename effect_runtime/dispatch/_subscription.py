"""A subscription: one consumer of one topic, with a handler for each event type it cares about.

Data for the consumer: what is handled, what a failure means, when to try again. Knows no inbox and no wire.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, Literal, TypeAlias

from attrs import field, frozen
from typing_extensions import TypeVar

from effect_runtime.dispatch._handlers import body_of
from effect_runtime.dispatch._refused import Forbidden, Invalid
from effect_runtime.dispatch._signature import Signature, definition_faults, place_of, read_signature
from effect_runtime.effect import Eff, Program, Schedule
from effect_runtime.errors import Fault, raise_faults
from effect_runtime.integration import Topic

R = TypeVar("R", default=Any)
Ev = TypeVar("Ev", bound=Topic)

Start: TypeAlias = Literal["now", "earliest"]
Poison: TypeAlias = Literal["block", "skip"]
Verdict: TypeAlias = Literal["ignore", "retry", "dead_letter"]
"""What a failure means for delivery: it counts as applied, is tried again by the schedule, or is given up at once."""

patient = Schedule.exponential(timedelta(milliseconds=200), cap=timedelta(minutes=1), jitter=0.2).times(8)
"""The schedule of a subscription that names none: nine tries over about a minute."""


@frozen(eq=False, repr=False)
class SubscriptionHandler:
    """A subscription's handler of one event type, and what each of its failures means for delivery."""

    subscription: str
    event: type[Topic]
    function: Callable[[Any], Program[Any, Any, Any]]
    body: Callable[[Any], Eff[Any, Any, Any]]
    ignore: tuple[type, ...]
    retry: tuple[type, ...]
    dead_letter: tuple[type, ...]

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.function.__name__

    @property
    def place(self) -> str:
        """Return where the handler is defined."""
        return place_of(self.function)

    @property
    def mapped(self) -> tuple[type, ...]:
        """Return every failure that has a verdict."""
        return (*self.ignore, *self.retry, *self.dead_letter, Invalid, Forbidden)

    def signature(self) -> Signature | Fault:
        """Read the annotations."""
        return read_signature(self.function)

    def program(self, event: Any) -> Eff[Any, Any, Any]:
        """Describe the bare body: for unit tests."""
        return self.body(event)

    def verdict(self, failure: object) -> Verdict:
        """Say what a failure means for delivery; one that nothing names is tried again by the schedule."""
        if isinstance(failure, self.ignore):
            return "ignore"
        if isinstance(failure, self.retry):
            return "retry"
        if isinstance(failure, (*self.dead_letter, Invalid, Forbidden)):
            return "dead_letter"
        return "retry"

    def __repr__(self) -> str:
        return f"<SubscriptionHandler {self.subscription}.{self.name} on {self.event.__name__}>"


@frozen(eq=False, repr=False, kw_only=True)
class Subscription(Generic[R]):
    """One consumer of one topic. Made by `context.subscribe(Topic, id=...)`.

    The id is stored with every mark, inbox row and dead letter: keep it for ever. `start`: "now" begins with the
    next event of each key, "earliest" with the first that was ever committed. After its last attempt an event is a
    dead letter; `poison` says whether its key then waits for it ("block") or goes on ("skip").
    """

    id: str
    topic: type[Topic]
    context: str
    start: Start
    schedule: Schedule
    poison: Poison
    gap_deadline: timedelta
    parked_limit: int
    place: str
    handlers: list[SubscriptionHandler] = field(factory=list, init=False)

    def on(
        self,
        event: type[Ev],
        *,
        ignore: tuple[type, ...] = (),
        retry: tuple[type, ...] = (),
        dead_letter: tuple[type, ...] = (),
    ) -> Callable[[Callable[[Ev], Program[Any, Any, R]]], SubscriptionHandler]:
        """Register the handler of one event type, and map each of its failures.

        `ignore`: the event counts as applied. `retry`: tried again by the schedule. `dead_letter`: given up at once.
        `Invalid` and `Forbidden` are dead letters unless mapped otherwise.
        """

        def register(function: Callable[[Ev], Program[Any, Any, R]]) -> SubscriptionHandler:
            raise_faults(f"subscription {self.id!r}", definition_faults(function))
            handler = SubscriptionHandler(
                self.id, event, function, body_of(function), tuple(ignore), tuple(retry), tuple(dead_letter)
            )
            self.handlers.append(handler)
            return handler

        return register

    def handler_of(self, event: type) -> SubscriptionHandler | None:
        """Return the handler of an event type; events of other types only advance the mark."""
        return next((handler for handler in self.handlers if handler.event is event), None)

    def __repr__(self) -> str:
        return f"<Subscription {self.id!r} of {self.topic.__name__}>"
