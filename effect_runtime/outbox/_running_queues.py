"""The after-commit queues of one open context, as its doors and commits see them: dispatch's port `Queues`.

Knows which queue a reaction belongs to. Whoever waits is answered by the lookout, whoever works is rung for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, final

from effect_runtime.dispatch import EventQueue, VolatileItem
from effect_runtime.errors import StoreClosed, StoreConflict, StoreDown
from effect_runtime.outbox._lookout import Asking, Expected, Lookout
from effect_runtime.outbox._ports import AgendaStore
from effect_runtime.outbox._volatile_queue import VolatileQueue
from effect_runtime.outbox._wake import Wake

_STORE_TROUBLE: Final = (StoreDown, StoreClosed, StoreConflict)


@final
class RunningQueues:
    """The running queues of one context; owned by the running application.

    `reactions` are the titles of the after-commit handlers of each queue.
    """

    __slots__ = ("_levels", "_lookout", "_store", "_volatile", "_wake")

    def __init__(
        self, reactions: Mapping[EventQueue, Sequence[str]], *, store: AgendaStore, lookout: Lookout, wake: Wake
    ) -> None:
        self._store = store
        self._lookout = lookout
        self._wake = wake
        self._volatile: dict[str, VolatileQueue] = {}
        self._levels: dict[EventQueue, Callable[[], Awaitable[int]]] = {
            queue: partial(self._stored, tuple(titles), queue.capacity) for queue, titles in reactions.items()
        }

    def host(self, queue: VolatileQueue) -> None:
        """Hand the events of a volatile queue to whoever works on it here. To be called before the first of them."""
        self._volatile.update(dict.fromkeys(queue.takers, queue))
        self._levels[queue.queue] = partial(_held, queue)

    async def room(self, queues: Sequence[EventQueue], *, more: int) -> EventQueue | None:
        """Wait until each queue holds at most its capacity less `more`, each no longer than its own timeout.

        Returns the first in which there was no room in time. While the store is in trouble there is room: whoever
        writes is told of the trouble then.
        """
        for queue in queues:
            asking = Asking(self._levels[queue], queue.capacity, more)
            try:
                if not await self._lookout.room(asking, queue.timeout):
                    return queue
            except _STORE_TROUBLE:
                continue
        return None

    def put(self, items: Sequence[VolatileItem]) -> None:
        """Take over events of volatile queues whose unit has committed."""
        for item in items:
            self._lookout.keep(item.envelope.id)
            self._volatile[item.reaction].put(item)

    def wake(self) -> None:
        """Ring for the workers."""
        self._wake.ring()

    def expect(self, ids: Collection[str]) -> AbstractContextManager[Expected]:
        """Begin to watch some items."""
        return self._lookout.expect(ids)

    async def _stored(self, titles: Sequence[str], capacity: int) -> int:
        # Counted no further than says whether there is room: every commit that adds something asks.
        return await self._store.agenda_backlog(titles, limit=capacity + 1)


async def _held(queue: VolatileQueue) -> int:
    return queue.level
