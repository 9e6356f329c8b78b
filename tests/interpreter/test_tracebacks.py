"""Tracebacks at the edge: every line of the user's, none of ours."""

from __future__ import annotations

import os
import traceback
from typing import Any, Never

import pytest

import effect_runtime
from effect_runtime.effect import Died, Do, Eff, do, exit_of, fail, fork, from_sync, gather, join, scoped, succeed
from effect_runtime.errors import UnhandledFailure
from effect_runtime.interpreter import Interpreter, run, run_exit, run_sync
from tests.interpreter.library import BookUnknown, HasShelf, ShelfBroken, collapse, copies_of, reading

pytestmark = pytest.mark.anyio

LIBRARY = os.path.dirname(effect_runtime.__file__)


@do
def innermost() -> Do[int, BookUnknown, HasShelf]:
    """Fail or break in a service."""
    yield from collapse()
    return 1


@do
def middle() -> Do[int, BookUnknown, HasShelf]:
    """Delegate."""
    return (yield from innermost())


@do
def outermost() -> Do[int, BookUnknown, HasShelf]:
    """Delegate through a combinator."""
    return (yield from middle().map(lambda number: number))


@do
def failing(depth: int) -> Do[int, str]:
    """Fail `depth` blocks down."""
    if depth == 0:
        return (yield from fail("deep"))
    return (yield from failing(depth - 1))


def told(error: BaseException) -> list[str]:
    """Return the functions of the traceback, outermost first, without the test's own."""
    frames = traceback.extract_tb(error.__traceback__)
    assert [frame.filename for frame in frames if frame.filename.startswith(LIBRARY)] == []
    return [frame.name for frame in frames if not frame.name.startswith("test_")]


async def test_a_defect_tells_every_block_and_the_adapter() -> None:
    """The traceback passes each nested block, through combinators, down to the adapter's own line."""
    with pytest.raises(ShelfBroken) as caught:
        await run(outermost(), reading())
    assert told(caught.value) == ["outermost", "middle", "innermost", "collapse", "collapse"]


async def test_a_failure_tells_every_block() -> None:
    """A declared failure that nobody handled comes with the lines it passed."""
    with pytest.raises(UnhandledFailure) as caught:
        await run(failing(3))
    assert told(caught.value) == ["failing"] * 4
    assert caught.value.__suppress_context__


async def test_a_failure_of_an_adapter_tells_the_blocks() -> None:
    """A `Failure` that an adapter returned has no line of its own; the blocks above it do."""
    with pytest.raises(UnhandledFailure) as caught:
        await run(copies_of(9), reading())
    assert told(caught.value) == ["copies_of"]


async def test_died_holds_a_traceback_without_our_frames() -> None:
    """What `run_exit` and `exit_of` hand over is as tidy as what `run` raises."""
    outer = await run_exit(outermost(), reading())
    inner = await run(exit_of(outermost()), reading())
    for exit in (outer, inner):
        assert isinstance(exit, Died)
        assert told(exit.exception) == ["outermost", "middle", "innermost", "collapse", "collapse"]


async def test_parallel_branches_and_forks_tell_their_lines() -> None:
    """A branch's traceback survives its task."""

    @do
    def forked() -> Do[int, BookUnknown, HasShelf]:
        fiber = yield from fork(innermost())
        return (yield from join(fiber))

    gathered: Eff[Any, BookUnknown, HasShelf] = gather(innermost(), succeed(1))
    for program in (gathered, scoped(forked())):
        exit = await run_exit(program, reading())
        assert isinstance(exit, Died)
        assert "innermost" in told(exit.exception)


def test_run_sync_is_as_tidy() -> None:
    """Without an event loop the edge is the same."""

    @do
    def block() -> Do[None]:
        yield from from_sync(int, "no number")

    with pytest.raises(ValueError, match="invalid literal") as caught:
        run_sync(block())
    assert told(caught.value) == ["block"]
    with pytest.raises(UnhandledFailure) as failed:
        run_sync(failing(1))
    assert told(failed.value) == ["failing", "failing"]


async def test_causes_are_tidied_too() -> None:
    """The exceptions that led to one are without our frames as well."""

    @do
    def translating() -> Do[None, Never, HasShelf]:
        try:
            yield from collapse()
        except ShelfBroken as broken:
            raise RuntimeError("translated") from broken

    with pytest.raises(RuntimeError) as caught:
        await run(translating(), reading())
    assert told(caught.value) == ["translating"]
    assert caught.value.__cause__ is not None
    assert told(caught.value.__cause__) == ["translating", "collapse", "collapse"]


async def test_debug_keeps_our_frames() -> None:
    """The debug flag leaves the traceback as it was."""
    with pytest.raises(ShelfBroken) as caught:
        await Interpreter(debug=True).run(collapse(), reading())
    names = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any(name.startswith(LIBRARY) for name in names)
