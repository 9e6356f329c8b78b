"""A bounded, live record of the operations of one attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from anyio import sleep_forever
from attrs import frozen
from returns.result import Failure, Result, Success

from effect_runtime.effect import Cancelled, Do, Eff, Failed, Succeeded, do, gather, timeout
from effect_runtime.interpreter import Defect, Recording, live
from effect_runtime.interpreter._recording import KEPT
from effect_runtime.runtime import ask, operation
from tests.dispatch.world import Missing

pytestmark = pytest.mark.anyio


@frozen
class Shelf:
    """Books that answer in each of the four ways."""

    @operation(kind="local")
    async def get(self, title: str) -> Result[int, Missing]:
        """Read one."""
        if title == "broken":
            raise ValueError(title)
        return Failure(Missing(title)) if title == "gone" else Success(len(title))

    @operation(kind="local")
    async def wait(self) -> None:
        """Never answer."""
        await sleep_forever()


@frozen
class Runtime:
    """What the programs of this module use."""

    shelf: Shelf = Shelf()


async def recorded(eff: Eff[Any, Any, Any]) -> Recording:
    """Run a program, whatever comes of it, and return what was recorded."""
    recording = Recording()
    recording.begin()
    await live.with_interceptors(recording.interceptor).run_exit(eff, Runtime())
    return recording


def endings(recording: Recording) -> list[Any]:
    """Return how the operations ended."""
    return [entry.ending for entry in recording.entries]


@do
def reading(*titles: str) -> Do[None, Any, Runtime]:
    """Read books in order."""
    rt = yield from ask[Runtime]()
    for title in titles:
        yield from rt.shelf.get(title)


async def test_operations_are_recorded_in_order_with_how_they_ended() -> None:
    """Answer and failure as they were; of a defect what tells it, without its traceback."""
    recording = await recorded(reading("dune", "gone"))
    assert endings(recording) == [Succeeded(4), Failed(Missing("gone"))]
    assert [(entry.place, entry.operation.args) for entry in recording.entries] == [
        ("Shelf.get", ("dune",)),
        ("Shelf.get", ("gone",)),
    ]
    assert endings(await recorded(reading("broken"))) == [Defect(ValueError, ("broken",), "broken")]


async def test_an_operation_that_was_cut_off_is_recorded_as_cancelled() -> None:
    """It has begun, and nobody knows what it would have answered."""
    assert endings(await recorded(timeout(Shelf().wait(), timedelta(0)))) == [Cancelled()]


async def test_operations_of_parallel_branches_are_told_apart() -> None:
    """Those of one branch have one number."""
    recording = await recorded(gather(reading("a", "bb"), reading("ccc", "dddd")))
    branches: dict[int, list[object]] = {}
    for entry in recording.entries:
        branches.setdefault(entry.branch, []).append(entry.operation.args[0])
    assert sorted(branches.values()) == [["a", "bb"], ["ccc", "dddd"]]


@pytest.mark.parametrize("count", [0, 1, KEPT // 2, KEPT, KEPT + 1, 3 * KEPT // 2 + 7, 3 * KEPT])
async def test_of_many_operations_the_first_and_the_last_are_kept(count: int) -> None:
    """And how many are missing between them is said."""
    titles = [str(number) for number in range(count)]
    recording = await recorded(reading(*titles))
    kept = [entry.operation.args[0] for entry in recording.entries]
    half = KEPT // 2
    expected = titles if count <= KEPT else [*titles[:half], *titles[-half:]]
    assert (kept, recording.cut) == (expected, max(0, count - KEPT))


async def test_an_attempt_that_starts_over_forgets_the_one_before() -> None:
    """What was never committed is no part of the last attempt."""
    recording = await recorded(reading("dune"))
    recording.begin()
    assert (recording.entries, recording.cut, recording.has_begun) == ((), 0, True)
