"""What all runs of a simulation share: the application, who uses it and hears of it, what may go wrong, what must hold.

Knows nothing of any run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Context, Store, Subscription
from effect_runtime.integration import Topic, Transport
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import Medium
from effect_runtime.testing.ground._broker import Delivery
from effect_runtime.testing.ground._disk import Disk
from effect_runtime.testing.ground._faults import Faults
from effect_runtime.testing.world._claims import Claim
from effect_runtime.testing.world._linear import Linearizable
from effect_runtime.testing.world._process import Client, OnCrash

Durable: TypeAlias = Disk | MemoryStore


@frozen
class Hears:
    """A consumer written by hand: `receive` is given the running application of `context`'s process and a delivery."""

    context: str
    topic: type[Topic]
    id: str
    receive: Callable[[App, Delivery], Awaitable[None]]

    @property
    def subscription(self) -> Subscription[Any]:
        """Return what its topic's owner has to know of it, to send there."""
        return Context(self.context, object).subscribe(self.topic, id=self.id, start="earliest")


@runtime_checkable
class Movable(Protocol):
    """A store that can be kept elsewhere than where its name says: an SQLite store, or one around it."""

    @property
    def name(self) -> str:
        """Return the store's name."""
        ...

    def on(self, medium: Medium) -> Store[Any, Any]:
        """Return the same store kept on another medium."""
        ...


@frozen(kw_only=True)
class Setting:
    """What all runs of a simulation share. `processes` names the contexts of each process."""

    app: App
    bindings: tuple[Binding, ...]
    processes: Mapping[str, Sequence[str]]
    clients: Mapping[str, Sequence[Client]]
    hears: Sequence[Hears]
    elsewhere: Sequence[Subscription[Any]]
    faults: Faults
    on_crash: OnCrash
    always: Sequence[Claim]
    at_end: Sequence[Claim]
    eventually: Sequence[Claim]
    sometimes: Sequence[Claim]
    linearizable: Linearizable | None
    horizon: timedelta
    start: datetime
    strict: bool
    bound: int
    around_wire: Callable[[Transport], Transport] | None = None
    parties: Sequence[object] = ()
    heard: set[tuple[str, str, str]] = field(factory=set)
    is_given: bool = False
