"""A context bound to a store: how its runtimes are built for each unit of work.

Values for the composition root; nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Generic

from attrs import frozen
from typing_extensions import TypeVar

from effect_runtime.dispatch._due import Due, no_due
from effect_runtime.dispatch._ports import Store
from effect_runtime.dispatch._request import MessageContext, unasked
from effect_runtime.effect import Schedule
from effect_runtime.events import Events
from effect_runtime.integration import Outbox
from effect_runtime.runtime import Clock, Ids, Random

S_co = TypeVar("S_co", covariant=True)
Q_co = TypeVar("Q_co", covariant=True)


@frozen
class Transaction(Generic[S_co]):
    """What a runtime is built from: the one session of a unit of work, and its queues. Ends with the unit.

    `message` tells what the unit was opened for; an adapter of an external service sends its `idempotency_key` along.
    `due` sends commands of this context later, within the transaction.
    """

    session: S_co
    events: Events
    outbox: Outbox[Any]
    clock: Clock
    ids: Ids
    random: Random
    message: MessageContext = unasked
    due: Due = no_due


@frozen
class ReadTransaction(Generic[Q_co]):
    """What a query's runtime is built from: one read session, without queues. Ends with the query."""

    session: Q_co
    clock: Clock
    ids: Ids
    random: Random


persistent = Schedule.exponential(timedelta(milliseconds=5), cap=timedelta(milliseconds=500), jitter=0.5).times(8)
"""The schedule by which conflicting units run again when a binding names none."""


@frozen(eq=False, kw_only=True)
class Binding:
    """A context with its store and the functions that build its runtimes. Made by `context.bind(...)`.

    `context` is untyped here: a binding is a value of the composition root, where contexts of all types meet.
    """

    context: Any
    make: Callable[..., Any]
    make_reads: Callable[..., Any] | None
    reads_take_resources: bool
    store: Store[Any, Any]
    resources: Callable[[], AbstractAsyncContextManager[Any]] | None
    conflicts: Schedule
    deadline: timedelta | None
    event_depth: int

    @property
    def name(self) -> str:
        """Return the context's name."""
        name: str = self.context.name
        return name
