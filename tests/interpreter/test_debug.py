"""Debug mode: effects that are lost are named with the line that built them."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Never

import anyio
import anyio.lowlevel
import pytest

from effect_runtime.effect import Do, attempt, do, fail, from_async, gather, guard, succeed, timeout
from effect_runtime.errors import RunningWarning
from effect_runtime.interpreter import Interpreter, run
from tests.interpreter.library import BookUnknown, HasShelf, copies_of, put, reading

pytestmark = pytest.mark.anyio

debugging = Interpreter(debug=True)


@do
def forgetful() -> Do[int, BookUnknown, HasShelf]:
    """Build an effect and forget to yield from it."""
    put(1)
    return (yield from copies_of(1))


@do
def careful() -> Do[int, str | BookUnknown, HasShelf]:
    """Use effects in every legitimate way."""
    kept = put(1).map(lambda _: 1)
    yield from kept
    yield from guard(True, "no")
    yield from attempt(fail("no"))
    yield from gather(put(2), put(3))
    first, _ = yield from copies_of(1).zip(succeed(2))
    return first


async def test_a_lost_effect_is_named_with_its_line() -> None:
    """An effect that was built and dropped is a warning, and the program goes on as without debug mode."""
    with pytest.warns(
        RunningWarning, match=r"test_debug\.py:\d+ in forgetful: <put\(...\) effect> was built and is lost"
    ):
        assert await debugging.run(forgetful(), reading(book_1=2)) == 2
    assert await run(forgetful(), reading(book_1=2)) == 2


async def test_a_failure_that_is_not_yielded_is_named() -> None:
    """A forgotten `yield from fail(...)` is found too, in a block within a block."""

    @do
    def inner() -> Do[int, Never]:
        fail("forgotten")
        yield from succeed(None)
        return 1

    @do
    def outer() -> Do[int, Never]:
        return (yield from inner())

    with pytest.warns(RunningWarning, match=r"fail\('forgotten'\) was built and is lost") as warned:
        assert await debugging.run(outer()) == 1
    assert len(warned) == 1


async def test_effects_that_are_used_are_no_warning() -> None:
    """Kept, combined, nested and parallel effects are not lost; the profiler that was there is put back."""
    before = sys.getprofile()
    assert await debugging.run(careful(), reading(book_1=2)) == 3
    assert sys.getprofile() is before


async def test_a_timeout_that_is_over_is_no_pending_cancellation() -> None:
    """After a timeout was answered, a failure that a block handles with further effects is no warning."""

    @do
    def going_on() -> Do[str]:
        yield from attempt(timeout(from_async(anyio.sleep_forever), timedelta(0)))
        try:
            yield from succeed(1).map(lambda _: 1 // 0)
        except ZeroDivisionError:
            yield from from_async(anyio.lowlevel.checkpoint)
        return "went on"

    assert await debugging.run(going_on()) == "went on"


async def test_debug_changes_no_outcome() -> None:
    """Failures, defects and exceptions caught in a block are as without debug mode."""

    @do
    def catching() -> Do[str]:
        try:
            yield from succeed(1).map(lambda _: 1 // 0)
        except ZeroDivisionError:
            return "caught"
        return "never"

    assert await debugging.run(catching()) == "caught"
    assert repr(await debugging.run_exit(copies_of(9), reading())) == "Failed(error=BookUnknown(book=9))"
