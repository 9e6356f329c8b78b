"""A small world for the agenda: a store on a turned clock, reactions that a test lets fail, workers on them.

Store, workers and lookout are the real ones; nothing is patched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from effect_runtime.dispatch import Acknowledgement, AgendaItem, Diagnostic, EventQueue, Ledger, VolatileItem
from effect_runtime.effect import Died, Exit, Failed, Schedule, Succeeded
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host
from effect_runtime.outbox import AgendaCounts, AgendaWorkers, ConsumerPolicy, DeadLetters, Desk, Pace, Taker, Wake
from effect_runtime.outbox._agenda import Persistence
from effect_runtime.outbox._agenda_worker import AgendaWorker
from effect_runtime.outbox._agenda_workers import VolatileWorkers
from effect_runtime.outbox._lookout import Lookout
from effect_runtime.outbox._running_queues import RunningQueues
from effect_runtime.outbox._volatile_queue import VolatileQueue
from effect_runtime.outbox.memory import MemoryStore
from tests.outbox.world import START, TurnedTime, steps, turned_host, until

NOTIFY = "lending.notify"
SECOND = timedelta(seconds=1)
STUBBORN = Persistence(immediate=1, schedule=Schedule.fixed(SECOND).times(2))
"""One try at once, two a second apart: four in all."""

PACE = Pace(idle_poll=timedelta(milliseconds=500))

Handler = Callable[[str], Awaitable[object]]
"""A test's handler: gets the item's id, returns None or a failure, raises for a defect."""


async def well(id: str) -> object:
    """Handle every item well."""
    return None


def envelope(id: str, *, key: str | None = None) -> Envelope:
    """Return the envelope of an item."""
    return Envelope(
        id=id,
        source="/library/lending",
        type="lending.loan-due",
        version=1,
        topic="notices",
        time=START,
        data=b"{}",
        correlation="c",
        key=key,
    )


def chore(id: str, *, key: str | None = None, due: datetime | None = None, reaction: str = NOTIFY) -> AgendaItem:
    """Return an item for the agenda."""
    return AgendaItem(reaction=reaction, envelope=envelope(id, key=key), due=due)


class NoticeOccurred(DomainEvent):
    """An event that only a volatile queue takes."""

    def __repr__(self) -> str:
        return "NoticeOccurred()"


def notice(id: str, *, key: str | None = None) -> VolatileItem:
    """Return an item for a volatile queue."""
    return VolatileItem(reaction=NOTIFY, event=NoticeOccurred(), envelope=envelope(id, key=key))


@define
class Chores:
    """One process: its store, what its reactions did, and who works."""

    store: Any
    host: Host
    time: TurnedTime
    handler: Handler = well
    wake: Wake = field(factory=Wake)
    tally: Counter[str] = field(factory=Counter)
    begun: list[str] = field(factory=list)
    """Ids of all tries, also of those that failed."""
    told: list[Diagnostic] = field(factory=list)
    lookout: Lookout = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Look out on the same store."""
        self.lookout = Lookout(self.store, host=self.host, pace=PACE)

    async def react(self, item: AgendaItem | VolatileItem, *, admit: Any, **rest: Any) -> Exit[Any, Any]:
        """React as dispatch does: admission and effect in one transaction, nothing written on failure."""
        id = item.envelope.id
        try:
            async with self.store.unit() as unit:
                await unit.begin()
                if not await admit(unit):
                    return Succeeded(None)
                self.begun.append(id)
                table = unit.session.table("effects")
                table[len(table)] = id
                failure = await self.handler(id)
                if failure is not None:
                    return Failed(failure)
                await unit.commit(Ledger())
        except Exception as defect:
            return Died(defect)
        return Succeeded(None)

    def taker(self, persistence: Persistence = STUBBORN, *, reaction: str = NOTIFY) -> Taker:
        """Return the reaction as a worker sees it: failures named after a verdict have that meaning."""
        return Taker(
            reaction=reaction,
            react=self.react,
            verdict=lambda failure: failure if failure in ("ignore", "dead_letter") else "retry",
            persistence=persistence,
        )

    def workers(
        self,
        *takers: Taker,
        concurrency: int = 0,
        policy: ConsumerPolicy | None = None,
        ended: Callable[[str, Acknowledgement], None] | None = None,
    ) -> AgendaWorkers:
        """Return workers on one desk."""
        return AgendaWorkers(
            self.store,
            (Desk(takers or (self.taker(),), concurrency),),
            host=self.host,
            wake=self.wake,
            ended=ended or self.lookout.ended,
            tally=self.tally,
            policy=policy,
            pace=PACE,
            diagnose=self.told.append,
        )

    def source(self) -> AgendaWorker:
        """Return a worker without a pump: a test hands it what it borrowed."""
        takers = {NOTIFY: self.taker()}
        return AgendaWorker(self.store, takers, self.host, ConsumerPolicy(), self.tally, self.lookout.ended)

    def failing_react(self, handler: Handler) -> Any:
        """Return a reaction that fails with what a handler returns, outside of any unit."""

        async def react(item: AgendaItem, **rest: Any) -> Exit[Any, Any]:
            return Failed(await handler(item.envelope.id))

        return react

    @property
    def counts(self) -> AgendaCounts:
        """Return what was done."""
        return AgendaCounts(**self.tally)

    @property
    def letters(self) -> DeadLetters:
        """Return the store's dead letters."""
        return DeadLetters(self.store, self.wake)

    async def add(self, *items: AgendaItem) -> None:
        """Commit items and ring."""
        async with self.store.unit() as unit:
            await unit.begin()
            await unit.commit(Ledger(agenda=items))
        self.wake.ring()

    async def effects(self) -> list[str]:
        """Return the ids of items that had an effect, in the order of committing."""
        async with self.store.reading() as session:
            return list(session.table("effects").values())

    async def left(self) -> list[str]:
        """Return the ids of the items that are still on the agenda."""
        return [entry.item.envelope.id for entry in await self.store.agenda_entries()]

    async def rest(self, *workers: AgendaWorkers | VolatileWorkers) -> None:
        """Let the world run until all workers are calm: nothing is due now."""
        await until(self.time, lambda: all(each.is_calm for each in workers))

    @asynccontextmanager
    async def queues(self, *queues: EventQueue, titles: Sequence[str] = (NOTIFY,)) -> AsyncIterator[RunningQueues]:
        """Run the doors of some queues that share their reactions, and the workers of the volatile ones."""
        running = RunningQueues(
            {each: tuple(titles) for each in queues}, store=self.store, lookout=self.lookout, wake=self.wake
        )
        bell = Wake()
        volatile = [self._volatile(each, bell, titles) for each in queues if not each.durable]
        for each in volatile:
            running.host(each)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.lookout.running())
            await stack.enter_async_context(VolatileWorkers(volatile, host=self.host, bell=bell, pace=PACE).running())
            yield running

    def _volatile(self, queue: EventQueue, bell: Wake, titles: Sequence[str]) -> VolatileQueue:
        persistence = Persistence(immediate=queue.immediate, schedule=queue.schedule)
        return VolatileQueue(
            queue=queue,
            takers={title: self.taker(persistence, reaction=title) for title in titles},
            store=self.store,
            host=self.host,
            policy=ConsumerPolicy(),
            tally=self.tally,
            ended=self.lookout.ended,
            bell=bell,
            diagnose=self.told.append,
        )


@asynccontextmanager
async def chores(seed: int = 0) -> AsyncIterator[Chores]:
    """Give a world on a memory store."""
    host, time = turned_host(seed)
    async with MemoryStore("lending").opened(host) as store:
        yield Chores(store, host, time)


def failing(*ids: str, times: int = 1_000, failure: str | None = None) -> Handler:
    """Return a handler that fails for these items, each so many times: by a failure value or a defect."""
    left = dict.fromkeys(ids, times)

    async def handler(id: str) -> object:
        if left.get(id, 0) > 0:
            left[id] -= 1
            if failure is None:
                raise RuntimeError(f"{id} breaks")
            return failure
        return None

    return handler


__all__ = ["Chores", "chores", "steps", "until"]
