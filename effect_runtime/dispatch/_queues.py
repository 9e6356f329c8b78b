"""What dispatch needs of the running after-commit queues of one context, and what became of an enqueued event.

Dispatch's doors and commits call the port; whoever runs the workers implements it. Knows no worker and no store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol, TypeAlias, final

from attrs import define, frozen

from effect_runtime.dispatch._after_commit import VolatileItem
from effect_runtime.dispatch._event_queue import EventQueue


@final
@frozen
class Handled:
    """Say that every after-commit handler of the event has handled it, and committed."""


@final
@frozen
class GivenUp:
    """Say that at least one handler gave the event up: `letters` are the ids of its dead letters."""

    letters: tuple[str, ...]


@final
@frozen
class Lost:
    """Say that a volatile queue lost the event, for want of room or by a shutdown."""


@final
@frozen
class StillQueued:
    """Say that the event still waits, or is being handled: nobody ended it in the time that was given."""


Acknowledgement: TypeAlias = Handled | GivenUp | Lost | StillQueued
"""What `enqueue_and_wait` answers."""


class Expectation(Protocol):
    """Watch over some items from before they are committed."""

    async def acknowledged(self, timeout: timedelta) -> Acknowledgement:
        """Wait until every item has ended, in this process or another, or until `timeout`; always returns."""
        ...


class Queues(Protocol):
    """The running queues of one context.

    1. `room` waits until each of these queues holds at most its capacity less `more`, for each no longer than its own
       timeout, and returns the first that does not, or None. It is called with no transaction open.
    2. `put` takes over the events of volatile queues whose unit has committed; `wake` tells that the agenda has
       changed. Neither ever waits or raises.
    3. `expect` begins to watch items by their ids, before any of them is committed, and ends with its context.
    """

    async def room(self, queues: Sequence[EventQueue], *, more: int) -> EventQueue | None:
        """Wait for room."""
        ...

    def put(self, items: Sequence[VolatileItem]) -> None:
        """Take over events that were never written."""
        ...

    def wake(self) -> None:
        """Tell the workers to look."""
        ...

    def expect(self, ids: Collection[str]) -> AbstractContextManager[Expectation]:
        """Begin to watch some items."""
        ...


@final
@define
class IdleQueues:
    """The queues of a context that nobody works on here: durable events wait in the store, volatile ones are lost."""

    lost: int = 0

    async def room(self, queues: Iterable[EventQueue], *, more: int) -> EventQueue | None:
        """Return None: what waits is for others to count."""
        return None

    def put(self, items: Sequence[VolatileItem]) -> None:
        """Count a loss."""
        self.lost += len(items)

    def wake(self) -> None:
        """Do nothing."""

    @contextmanager
    def expect(self, ids: Collection[str]) -> Iterator[IdleQueues]:
        """Watch nothing."""
        yield self

    async def acknowledged(self, timeout: timedelta) -> Acknowledgement:
        """Answer at once, because nobody here will end an item."""
        return StillQueued()
