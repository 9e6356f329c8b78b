"""Memory of a chain of binds: what running it takes at its peak, over the chain itself.

Left nested, the chain is one value with a node for each bind. Right nested, each bind answers with the next one. The
two sides of a workload run the same chain at two lengths: the ratio of their peaks is 1 when memory is flat.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable

from effect_runtime import Eff, run, succeed

SHORTER = 100
"""How many times shorter the chain is that the long one is held against."""


def plus_one(number: int) -> Eff[int]:
    """Be one link."""
    return succeed(number + 1)


def left(length: int) -> Eff[int]:
    """Nest `length` binds to the left."""
    chain: Eff[int] = succeed(0)
    for _ in range(length):
        chain = chain.bind(plus_one)
    return chain


def right(length: int) -> Eff[int]:
    """Nest `length` binds to the right: each answers with the rest of the chain."""

    def link(number: int) -> Eff[int]:
        return succeed(number) if number == length else succeed(number + 1).bind(link)

    return link(0)


def measure_left(length: int) -> tuple[float, object]:
    """Measure the left-nested chain."""
    return _peak(left, length, length)


def measure_left_shorter(length: int) -> tuple[float, object]:
    """Measure a left-nested chain that is `SHORTER` times shorter."""
    return _peak(left, length // SHORTER, length)


def measure_right(length: int) -> tuple[float, object]:
    """Measure the right-nested chain."""
    return _peak(right, length, length)


def measure_right_shorter(length: int) -> tuple[float, object]:
    """Measure a right-nested chain that is `SHORTER` times shorter."""
    return _peak(right, length // SHORTER, length)


def _peak(chain: Callable[[int], Eff[int]], length: int, asked: int) -> tuple[float, object]:
    """Give the peak in bytes above what was held before the run, and that the chain was followed to its end."""

    async def measured() -> tuple[int, int]:
        await run(chain(10), None)
        program = chain(length)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            answer = await run(program, None)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()  # whatever this process does next would take several times as long
        return peak - before, answer

    peak, answer = asyncio.run(measured())
    return float(peak), asked if answer == length else answer
