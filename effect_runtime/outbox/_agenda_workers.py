"""Everybody in this process who works on the agenda of one store, and on its volatile queues.

A pump for each queue, one for due commands. Knows no contexts and no dispatch: desks say who takes what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import final

from anyio import current_time, move_on_after
from attrs import evolve, frozen

from effect_runtime.dispatch import Acknowledgement, Diagnostic
from effect_runtime.interpreter import Host
from effect_runtime.outbox._agenda_worker import AgendaWorker, AgendaWorkerStore
from effect_runtime.outbox._consumer import ConsumerPolicy
from effect_runtime.outbox._pump import Crew, Pace, Pump
from effect_runtime.outbox._reaction import Taker
from effect_runtime.outbox._volatile_queue import VolatileQueue
from effect_runtime.outbox._wake import Wake, Watch


@frozen(kw_only=True)
class AgendaCounts:
    """What the workers of one store's agenda have done in this process, volatile queues included.

    `handled`, `ignored` and `buried` ended an item, `retried` did not; `stale` counts loans that had been lent on,
    cancelled or rescheduled. `lost_without_room` and `lost_at_shutdown` count events of volatile queues.
    """

    handled: int = 0
    ignored: int = 0
    retried: int = 0
    buried: int = 0
    stale: int = 0
    lost_without_room: int = 0
    lost_at_shutdown: int = 0

    @property
    def lost(self) -> int:
        """Return how many events were lost, for whatever reason."""
        return self.lost_without_room + self.lost_at_shutdown


@frozen(eq=False)
class Desk:
    """What one pump works on: some reactions, at most `concurrency` lanes at once; 0 is as many as its pace allows."""

    takers: tuple[Taker, ...]
    concurrency: int = 0


@final
class AgendaWorkers:
    """Work on the agenda of one store; owned by whoever runs the application.

    Processes may overlap: an item that two of them work on has its effect once. `ended` is told of each item that
    ended here; `diagnose` of each dead letter, and of the first try of an item that ended in a bug.
    """

    def __init__(
        self,
        store: AgendaWorkerStore,
        desks: Sequence[Desk],
        *,
        host: Host,
        wake: Wake,
        ended: Callable[[str, Acknowledgement], None],
        tally: Counter[str] | None = None,
        policy: ConsumerPolicy | None = None,
        pace: Pace | None = None,
        diagnose: Callable[[Diagnostic], None] | None = None,
    ) -> None:
        self._tally: Counter[str] = Counter() if tally is None else tally
        pace, policy = pace or Pace(), policy or ConsumerPolicy()
        bell = Wake()
        # One watch rings for all pumps: each poll is a statement on the store.
        watch = Watch(store.version, bell, host, pace.busy_poll, pace.idle_poll)
        pumps = []
        for number, desk in enumerate(desks):
            takers = {taker.reaction: taker for taker in desk.takers}
            worker = AgendaWorker(store, takers, host, policy, self._tally, ended, diagnose)
            # A claim never lends two entries of one lane, so the window of a pump bounds lanes.
            narrow = evolve(pace, window=desk.concurrency or pace.window)
            pumps.append(Pump(worker, host=host, pace=narrow, wake=bell, watch=watch if number == 0 else None))
        self._crew = Crew(pumps, wake=wake, bell=bell)

    @property
    def counts(self) -> AgendaCounts:
        """Return what has been done so far."""
        return AgendaCounts(**self._tally)

    @property
    def trouble(self) -> tuple[str, ...]:
        """Return what keeps the workers from the store, if anything does."""
        return self._crew.trouble

    @property
    def is_calm(self) -> bool:
        """Tell whether all have looked, found nothing due, and have not been rung since."""
        return self._crew.is_calm

    async def calm(self) -> None:
        """Wait until all are calm. Only running workers become so."""
        await self._crew.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while entered; leaving finishes what is in hand within the drain. What waits stays in the store."""
        async with self._crew.running():
            yield


@final
class VolatileWorkers:
    """Work on the volatile queues of one store's contexts in this process; owned by whoever runs the application."""

    def __init__(self, queues: Sequence[VolatileQueue], *, host: Host, bell: Wake, pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self._queues = tuple(queues)
        self._bell = bell
        self._drain = pace.drain
        pumps = []
        for each in self._queues:
            # It is drained before its pump is stopped: what is in work then has had its time.
            narrow = evolve(pace, window=each.queue.concurrency or pace.window, drain=timedelta(0))
            pumps.append(Pump(each, host=host, pace=narrow, wake=bell))
        self._crew = Crew(pumps, wake=Wake(), bell=bell)

    @property
    def trouble(self) -> tuple[str, ...]:
        """Return what keeps the workers from the store, if anything does."""
        return self._crew.trouble

    @property
    def is_calm(self) -> bool:
        """Tell whether all have looked, found nothing due, and have not been rung since."""
        return self._crew.is_calm

    async def calm(self) -> None:
        """Wait until all are calm. Only running workers become so."""
        await self._crew.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while entered. Leaving waits, within the drain, for every event that may end in it; the rest is lost."""
        try:
            async with self._crew.running():
                try:
                    yield
                finally:
                    await self._drained()
        finally:
            for queue in self._queues:
                queue.lose_all()

    async def _drained(self) -> None:
        with move_on_after(self._drain.total_seconds()) as scope:
            while any(queue.may_end(timedelta(seconds=scope.deadline - current_time())) for queue in self._queues):
                # No await lies between the question and this count, so the end that answers it cannot ring unheard.
                await self._bell.after(self._bell.rings)
