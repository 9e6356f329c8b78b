"""Fork and join against tasks started by hand in an anyio task group, in rounds of a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter_ns

import anyio

from effect_runtime import Do, do, run, succeed
from effect_runtime.effect import fork, join, scoped

WIDTH = 100
ONE = succeed(1)


@do
def a_round() -> Do[int]:
    """Fork a hundred children, join each."""
    fibers = []
    for _ in range(WIDTH):
        fibers.append((yield from fork(ONE)))
    total = 0
    for fiber in fibers:
        total += yield from join(fiber)
    return total


@do
def rounds(count: int) -> Do[int]:
    """Fork and join about `count` children."""
    total = 0
    for _ in range(count // WIDTH):
        total += yield from scoped(a_round())
    return total


async def child(place: int, answers: list[int]) -> None:
    """Leave an answer: a task group's children return nothing."""
    answers[place] = 1


async def task_groups(count: int) -> int:
    """Start and await about `count` children."""
    total = 0
    for _ in range(count // WIDTH):
        answers = [0] * WIDTH
        async with anyio.create_task_group() as group:
            for place in range(WIDTH):
                group.start_soon(child, place, answers)
        total += sum(answers)
    return total


def measure_forks(count: int) -> tuple[float, object]:
    """Time one fork and join."""
    return _timed(lambda number: run(rounds(number), None), count)


def measure_task_groups(count: int) -> tuple[float, object]:
    """Time one child of a task group."""
    return _timed(task_groups, count)


def _timed(program: Callable[[int], Awaitable[int]], count: int) -> tuple[float, object]:
    async def timed() -> tuple[float, object]:
        await program(WIDTH)
        start = perf_counter_ns()
        answer = await program(count)
        return (perf_counter_ns() - start) / count, answer

    return asyncio.run(timed())
