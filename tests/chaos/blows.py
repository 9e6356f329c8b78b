"""Dealing the blows of a plan: one worker is killed, stopped, left without space or given a wrong clock.

Knows workers and points. Which blow comes when is decided in `plan`.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, assert_never, final

from anyio import create_task_group, move_on_after, sleep
from attrs import define, field

from tests.chaos.failpoints import DRAINING, MIGRATING
from tests.chaos.fleet import Fleet, Worker, any_of
from tests.chaos.plan import ALL, RANDOM, STEP, Blow, Clock, Disk, Kill, Slot, Stop

OBEDIENCE: Final = 10.0
"""Seconds within which a worker must come to the point that it was told to die at."""


@final
@define(eq=False)
class Blows:
    """What was dealt to one fleet. `missed`: points that were not reached in time; the kill came from outside."""

    fleet: Fleet
    dealt: Counter[str] = field(factory=Counter)
    missed: int = 0

    async def deal(self, blows: Sequence[Blow]) -> None:
        """Deal some blows, slots side by side, each slot's in their order."""

        async def on_one(slot: Slot) -> None:
            for blow in blows:
                if blow.slot == slot:
                    await sleep(blow.pause.total_seconds())
                    await self._deal(blow)

        async with create_task_group() as group:
            for slot in {blow.slot for blow in blows}:
                group.start_soon(on_one, slot)
        for worker in self.fleet.workers.values():
            worker.signal(signal.SIGCONT)  # whoever stopped later than it was told to

    async def _deal(self, blow: Blow) -> None:
        match blow:
            case Kill():
                await self._kill(blow)
                self.dealt["kills"] += 1
            case Stop():
                await self._stop(blow)
            case Disk():
                await self._fill(blow)
            case Clock():
                await self._step(blow)
            case _:
                assert_never(blow)

    async def _kill(self, kill: Kill) -> None:
        if kill.point in (RANDOM, ALL):
            worker = await self.fleet.alive(kill.slot)
            for each in list(self.fleet.workers.values()) if kill.point == ALL else [worker]:
                each.signal(signal.SIGKILL)
            await worker.gone.wait()
        elif kill.point == MIGRATING:
            await self._kill_newborn(kill)
        else:
            worker = await self.fleet.ready(kill.slot)
            await worker.order(kill.point, kill.nth, delay=_micros(kill))
            if kill.point == DRAINING:
                await worker.end()
            with move_on_after(OBEDIENCE):
                await worker.gone.wait()
            await self._kill_from_outside(worker)

    async def _kill_newborn(self, kill: Kill) -> None:
        """Make the next worker of a slot one that has something to migrate, and dies of it."""
        self.fleet.first[kill.slot] = (kill.nth, _micros(kill))
        former = await self.fleet.alive(kill.slot)
        former.signal(signal.SIGKILL)
        await former.replaced.wait()
        worker = await self.fleet.alive(kill.slot)
        with move_on_after(OBEDIENCE):
            await any_of(worker.gone, worker.ready)
        await self._kill_from_outside(worker)
        self.fleet.schema += 1

    async def _kill_from_outside(self, worker: Worker) -> None:
        if not worker.gone.is_set():
            self.missed += 1
            worker.signal(signal.SIGKILL)
            await worker.gone.wait()

    async def _stop(self, stop: Stop) -> None:
        if stop.point == RANDOM:
            worker = await self.fleet.alive(stop.slot)
            worker.signal(signal.SIGSTOP)
        else:
            worker = await self.fleet.ready(stop.slot)
            await worker.order(stop.point, stop.nth, stops=True)
            with move_on_after(OBEDIENCE):
                await any_of(worker.gone, worker.stopping)
            if not worker.stopping.is_set():
                with move_on_after(1):
                    await worker.order("nowhere", 1)
                return
        await sleep(stop.span.total_seconds())
        worker.signal(signal.SIGCONT)
        self.dealt["stops"] += 1

    async def _fill(self, disk: Disk) -> None:
        worker = await self.fleet.ready(disk.slot)
        await worker.tell(full=disk.full)
        await sleep(disk.span.total_seconds())
        await worker.tell(free=True)
        self.dealt["full disks"] += 1

    async def _step(self, clock: Clock) -> None:
        worker = await self.fleet.ready(clock.slot)
        await worker.tell(clock=self.fleet.clock + clock.step.total_seconds())
        await sleep(clock.span.total_seconds())
        # What was written on a clock that is ahead is due for the others by then: later, as promised, and no worse.
        await self.fleet.set_clocks(self.fleet.clock + 1.5 * STEP.total_seconds())
        self.dealt["clock steps"] += 1


def _micros(kill: Kill) -> int:
    return kill.delay // timedelta(microseconds=1)
