"""What a volatile queue holds: items in memory, in lanes, each with its due time. Bounded, and gone with the process.

Pure bookkeeping on a clock that it is told. Who works on the items, and what counts as lost, is decided elsewhere.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define

from effect_runtime.outbox._text import extended

T = TypeVar("T")


@define(eq=False)
class VolatileEntry(Generic[T]):
    """One item, owned by its queue. `lane` is None for one that waits for no other; times are of a monotonic clock."""

    number: int
    item: T
    lane: Hashable | None
    since: float
    attempts: int = 0
    history: tuple[str, ...] = ()


class VolatileLanes(Generic[T]):
    """The items of one volatile queue: at most `capacity`, those in work included.

    Of a lane only the head is ever given out; the next follows when it has ended. `in_work` counts what is out.
    """

    __slots__ = ("_capacity", "_due", "_held", "_lanes", "_number", "in_work")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: set[VolatileEntry[T]] = set()
        self._lanes: dict[Hashable, deque[VolatileEntry[T]]] = {}
        self._due: list[tuple[float, int, VolatileEntry[T]]] = []
        self._number = 0
        self.in_work = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def room(self) -> int:
        """Return how many items more it may hold."""
        return max(0, self._capacity - len(self._held))

    def offer(self, item: T, *, lane: Hashable | None, now: float) -> bool:
        """Take an item in; False when there is no room for it."""
        if not self.room:
            return False
        self._number += 1
        entry = VolatileEntry(self._number, item, lane, now)
        self._held.add(entry)
        if lane is None:
            self._call(entry, now)
            return True
        line = self._lanes.setdefault(lane, deque())
        line.append(entry)
        if len(line) == 1:
            self._call(entry, now)
        return True

    def claim(self, limit: int, *, now: float) -> tuple[VolatileEntry[T], ...]:
        """Give out up to `limit` items that are due, the one that has been due for longest first."""
        taken: list[VolatileEntry[T]] = []
        while self._due and len(taken) < limit and self._due[0][0] <= now:
            taken.append(heapq.heappop(self._due)[2])
        self.in_work += len(taken)
        return tuple(taken)

    def ended(self, entry: VolatileEntry[T], *, now: float) -> None:
        """End an item that was given out; the next of its lane becomes due."""
        self._held.discard(entry)
        self.in_work -= 1
        if entry.lane is None:
            return
        line = self._lanes[entry.lane]
        line.popleft()
        if line:
            self._call(line[0], now)
        else:
            del self._lanes[entry.lane]

    def failed(self, entry: VolatileEntry[T], *, due: float, error: str) -> None:
        """Keep an item that was given out for another try, at the head of its lane."""
        entry.attempts += 1
        entry.history = extended(entry.history, error)
        self.returned(entry, due=due)

    def returned(self, entry: VolatileEntry[T], *, due: float) -> None:
        """Take back an item that was given out and not tried."""
        self.in_work -= 1
        self._call(entry, due)

    def clear(self) -> tuple[VolatileEntry[T], ...]:
        """Give everything up, in the order of coming, and what is in work with it."""
        left = tuple(sorted(self._held, key=lambda entry: entry.number))
        self._held.clear()
        self._lanes.clear()
        self._due.clear()
        self.in_work = 0
        return left

    def next_due(self) -> float | None:
        """Return when the next item may be given out; None when all that it holds waits for one in work."""
        return self._due[0][0] if self._due else None

    def _call(self, entry: VolatileEntry[T], due: float) -> None:
        self._number += 1
        # A number for each call breaks ties: first called, first out, and the heap never compares entries.
        heapq.heappush(self._due, (due, self._number, entry))
