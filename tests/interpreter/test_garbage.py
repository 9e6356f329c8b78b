"""Failing leaves no cycles behind: memory goes when the exit goes, without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from effect_runtime.effect import (
    Do,
    Eff,
    Schedule,
    attempt,
    do,
    ensure,
    exit_of,
    fail,
    for_each,
    fork,
    from_async,
    gather,
    retry,
    scoped,
    succeed,
    timeout,
    uninterruptible,
    validate,
)
from effect_runtime.interpreter import run_exit
from tests.interpreter.library import BookUnknown, HasShelf, Reading, ShelfBroken, SyncShelf, collapse, copies_of

pytestmark = pytest.mark.anyio


@do
def catching() -> Do[str, BookUnknown, HasShelf]:
    """Catch a defect in a block."""
    try:
        yield from collapse()
    except ShelfBroken:
        return "caught"
    return "never"


PROGRAMS: dict[str, Callable[[], Eff[Any, Any, Any]]] = {
    "failure": lambda: copies_of(9),
    "attempted failure": lambda: attempt(copies_of(9)),
    "defect": collapse,
    "exit of a defect": lambda: exit_of(collapse()),
    "caught in a block": catching,
    "failure in a scope": lambda: scoped(copies_of(9)),
    "ensured defect": lambda: ensure(collapse(), succeed(None)),
    "uninterruptible failure": lambda: uninterruptible(copies_of(9)),
    "spent retry": lambda: retry(copies_of(9), Schedule().times(2)),
    "failed fork": lambda: scoped(fork(fail("no")).then(succeed(1))),
    "gathered defect": lambda: gather(collapse(), succeed(1)),
    "gathered failures": lambda: gather(fail("a"), fail("b")),
    "failing items": lambda: for_each([1, 2], fail, limit=2),
    "validated failures": lambda: validate(fail("a"), fail("b")),
    "timeout": lambda: attempt(timeout(from_async(anyio.sleep_forever), timedelta(0))),
}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", PROGRAMS)
async def test_no_cycle_is_left(name: str) -> None:
    """After a program of this kind there is nothing for the collector to find. (Trio makes cycles of its own.)"""
    program, runtime = PROGRAMS[name](), Reading(SyncShelf())
    await run_exit(program, runtime)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await run_exit(program, runtime)
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0
