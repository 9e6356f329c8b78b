"""What is held while nothing happens: a suspended fiber against a suspended task of a task group.

The figure is bytes for each, as the allocator counts them between before and while all are suspended.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Never

import anyio
from attrs import frozen

from effect_runtime import Do, ask, do, operation, run
from effect_runtime.effect import fork, join, scoped


@frozen
class Gate:
    """The service: waiting at a gate until it opens; the last one in reports, and the measurement is taken."""

    opened: anyio.Event
    arrived: Callable[[], None]

    async def passed(self) -> int:
        """Wait, and count as one."""
        self.arrived()
        await self.opened.wait()
        return 1

    through = operation(kind="local")(passed)


_GATE = ask[Gate]()


@do
def waiting() -> Do[int, Never, Gate]:
    """Be suspended in one service operation."""
    gate = yield from _GATE
    return (yield from gate.through())


@do
def fibers(count: int) -> Do[int, Never, Gate]:
    """Fork `count` programs and join them."""
    forked = []
    for _ in range(count):
        forked.append((yield from fork(waiting())))
    total = 0
    for fiber in forked:
        total += yield from join(fiber)
    return total


def measure_fibers(count: int) -> tuple[float, object]:
    """Give the bytes of one suspended fiber."""
    return _held(lambda gate: run(scoped(fibers(count)), gate), count)


def measure_tasks(count: int) -> tuple[float, object]:
    """Give the bytes of one suspended task, with the place where it leaves its answer."""

    async def tasks(gate: Gate) -> int:
        answers = [0] * count

        async def child(place: int) -> None:
            answers[place] = await gate.passed()

        async with anyio.create_task_group() as group:
            for place in range(count):
                group.start_soon(child, place)
        return sum(answers)

    return _held(tasks, count)


def _held(work: Callable[[Gate], Awaitable[int]], count: int) -> tuple[float, object]:
    """Measure at the moment at which all are suspended, then let them go."""

    async def measured() -> tuple[float, int]:
        arrived = 0
        held = 0
        opened = anyio.Event()

        def one_more() -> None:
            nonlocal arrived, held
            arrived += 1
            if arrived == count:
                gc.collect()
                held = tracemalloc.get_traced_memory()[0]
                opened.set()

        gate = Gate(opened, one_more)
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            answer = await work(gate)
        finally:
            tracemalloc.stop()  # whatever this process does next would take several times as long
        return (held - before) / count, answer

    return asyncio.run(measured())
