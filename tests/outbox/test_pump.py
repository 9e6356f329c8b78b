"""The bell, the watch and the loop under relay and worker."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from datetime import timedelta

import pytest
from anyio import Event, create_task_group
from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.outbox import Pace, Wake
from effect_runtime.outbox._pump import Pump
from effect_runtime.outbox._wake import Watch
from tests.outbox.world import steps, turned_host, until

pytestmark = pytest.mark.anyio


async def test_a_ring_between_looking_and_waiting_is_not_missed() -> None:
    """Rings are counted."""
    wake = Wake()
    seen = wake.rings
    wake.ring()
    await wake.after(seen)
    assert wake.rings == 1


async def test_every_listener_and_follower_hears_a_ring() -> None:
    """Followers only while they follow."""
    wake, follower, heard = Wake(), Wake(), []

    async def listen(name: str, bell: Wake) -> None:
        await bell.after(0)
        heard.append(name)

    with wake.followed_by(follower):
        async with create_task_group() as group:
            group.start_soon(listen, "one", wake)
            group.start_soon(listen, "two", wake)
            group.start_soon(listen, "three", follower)
            await steps()
            assert heard == []
            wake.ring()
    wake.ring()
    assert (sorted(heard), wake.rings, follower.rings) == (["one", "three", "two"], 2, 1)


async def test_a_watch_rings_after_a_change_and_calms_down_in_silence() -> None:
    """From its busy interval to its idle one, and back."""
    host, time = turned_host()
    bell, looks = Wake(), [0]

    def version() -> int:
        looks[0] += 1
        return 1 if time.elapsed < 60 else 2

    watch = Watch(version, bell, host, timedelta(milliseconds=2), timedelta(milliseconds=500))
    async with create_task_group() as group:
        group.start_soon(watch.run)
        await until(time, lambda: time.elapsed >= 59)
        assert (bell.rings, looks[0] < 200) == (0, True)
        await until(time, lambda: bell.rings == 1)
        assert time.elapsed < 60.6
        group.cancel_scope.cancel()


async def test_a_watch_survives_a_store_that_is_down() -> None:
    """When the store is back, it rings."""
    host, time = turned_host()
    bell = Wake()

    def version() -> int:
        if time.elapsed < 5:
            raise OSError("down")
        return 1

    async with create_task_group() as group:
        group.start_soon(Watch(version, bell, host, timedelta(seconds=1), timedelta(seconds=1)).run)
        await until(time, lambda: bell.rings == 1)
        group.cancel_scope.cancel()


@define
class Heap:
    """A source with a heap of numbers; keeps how many were in work at once."""

    items: list[int] = field(factory=list)
    done: list[int] = field(factory=list)
    recorded: list[int] = field(factory=list)
    claims: list[int] = field(factory=list)
    most: int = 0
    working: int = 0
    gate: Event | None = None
    broken: int = 0
    given_back: list[int] = field(factory=list)
    lent: list[int] = field(factory=list)

    async def claim(self, free: int) -> Sequence[int]:
        if self.broken:
            self.broken -= 1
            raise OSError("the store is down")
        self.claims.append(free)
        taken, self.items = self.items[:free], self.items[free:]
        await checkpoint()  # the store has lent them, and we have not heard of it yet
        self.lent += taken
        return taken

    async def work(self, item: int) -> None:
        self.working += 1
        self.most = max(self.most, self.working)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await checkpoint()
            self.lent.remove(item)
            self.done.append(item)
        finally:
            self.working -= 1

    async def flush(self) -> None:
        await checkpoint()
        self.recorded, self.done = self.recorded + self.done, []

    async def close(self) -> None:
        await self.flush()
        self.given_back, self.lent = self.lent, []

    async def due_in(self) -> float | None:
        return None


async def test_a_pump_works_a_window_at_a_time() -> None:
    """Never more than the window, and every item once."""
    host, time = turned_host()
    heap, wake = Heap(items=list(range(100))), Wake()
    pump = Pump(heap, host=host, pace=Pace(window=7), wake=wake)
    async with pump.running():
        await until(time, lambda: pump.is_calm)
        assert sorted(heap.recorded) == list(range(100))
        heap.items = [100]
        wake.ring()
        assert not pump.is_calm
        await pump.calm()
        assert heap.recorded[-1] == 100
    assert heap.most == 7


async def test_a_pump_that_has_nothing_to_do_asks_nothing() -> None:
    """It waits for the bell."""
    host, time = turned_host()
    heap = Heap()
    async with Pump(heap, host=host, pace=Pace(), wake=Wake()).running():
        await steps(200)
        time.turn(timedelta(days=1))
        await steps(200)
        assert len(heap.claims) == 1


async def test_a_pump_outlives_its_stores_trouble() -> None:
    """It tries again after a wait, tells why it waits, and forgets it when all is well."""
    host, time = turned_host()
    heap = Heap(items=[1], broken=3)
    pump = Pump(heap, host=host, pace=Pace(), wake=Wake())
    async with pump.running():
        await until(time, lambda: pump.trouble == "OSError: the store is down")
        assert not pump.is_calm
        await until(time, lambda: heap.recorded == [1])
        await pump.calm()
        assert pump.trouble is None


async def test_items_claimed_in_the_moment_of_cancellation_are_given_back() -> None:
    """Whether their work had begun or not."""
    host, _ = turned_host()
    for moment in range(12):
        heap = Heap(items=[1, 2, 3], gate=Event())
        pump = Pump(heap, host=host, pace=Pace(), wake=Wake())

        async def run(pump: Pump[int] = pump) -> None:
            async with pump.running():
                await Event().wait()

        async with create_task_group() as group:
            group.start_soon(run)
            await steps(moment)
            group.cancel_scope.cancel()
        assert sorted(heap.given_back + heap.items + heap.recorded) == [1, 2, 3]
        assert heap.lent == []


async def test_a_pump_outlives_work_that_meets_a_cancelled_future() -> None:
    """What looks like a cancellation and is nobody's ends that one item, and no other."""

    class Torn(Heap):
        async def work(self, item: int) -> None:
            if item == 2:
                raise CancelledError
            await super().work(item)

    host, time = turned_host()
    heap = Torn(items=[1, 2, 3])
    wake = Wake()
    async with Pump(heap, host=host, pace=Pace(), wake=wake).running():
        await until(time, lambda: sorted(heap.recorded) == [1, 3])
        heap.items = [4]
        wake.ring()
        await until(time, lambda: heap.recorded[2:] == [4])
    assert heap.given_back == [2]


@pytest.mark.parametrize(("alone", "asked"), [(False, 120), (True, 1)])
async def test_a_pump_looks_at_the_clock_now_and_then_before_what_is_due_later(alone: bool, asked: int) -> None:
    """A machine that slept finds its due work within a nap; a process that owns its time need not look."""
    host, time = turned_host()
    looks: list[float] = []

    class Later(Heap):
        async def due_in(self) -> float | None:
            looks.append(time.elapsed)
            return 3600.0 - time.elapsed

    pump: Pump[int] = Pump(Later(), host=host, pace=Pace(alone=alone), wake=Wake())
    async with pump.running():
        await until(time, lambda: time.elapsed >= 3600.0)
        await until(time, lambda: len(looks) >= 2)
    assert len([look for look in looks if look < 3600.0]) == asked
