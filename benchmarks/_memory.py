"""What is held while nothing happens: a suspended fiber, and an event in a volatile queue.

The figure is bytes for each, as the allocator counts them between before and while all are there. A durable queue holds
nothing in memory.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Never

import anyio
from attrs import frozen

from effect_runtime import App, Context, Do, DomainEvent, Events, ask, do, operation, run
from effect_runtime.dispatch import EventQueue, enqueue
from effect_runtime.effect import fork, from_async, join, scoped
from effect_runtime.outbox.memory import MemoryStore


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


@frozen
class LoanDueOccurred(DomainEvent):
    """The event that is queued."""

    loan: int


@frozen
class Desk:
    """The runtime of the context that has the queue."""

    events: Events


def measure_queued(count: int) -> tuple[float, object]:
    """Give the bytes of one event that waits in a volatile queue."""

    async def measured() -> tuple[float, int]:
        handled = 0
        opened = anyio.Event()
        desk = Context("desk", Desk)

        @desk.after_commit(LoanDueOccurred, queue=EventQueue("due", durable=False, concurrency=1, capacity=count + 1))
        def remind(event: LoanDueOccurred) -> Do[None, Never, Desk]:
            nonlocal handled
            yield from from_async(opened.wait)
            handled += 1

        app = App("desk", contexts=[desk.bind(lambda tx: Desk(tx.events), store=MemoryStore())])
        async with app.running():
            await app.run(enqueue(LoanDueOccurred(-1)))
            await anyio.lowlevel.checkpoint()
            gc.collect()
            tracemalloc.start()
            try:
                before = tracemalloc.get_traced_memory()[0]
                for loan in range(count):
                    await app.run(enqueue(LoanDueOccurred(loan)))
                gc.collect()
                held = tracemalloc.get_traced_memory()[0] - before
            finally:
                tracemalloc.stop()
            opened.set()
            await app.settled()
        return held / count, handled - 1

    return asyncio.run(measured())


def measure_kept(count: int) -> tuple[float, object]:
    """Give the bytes of one such event in a list."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [LoanDueOccurred(loan) for loan in range(count)]
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return held / count, len(kept)
