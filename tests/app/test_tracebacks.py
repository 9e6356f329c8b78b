"""What an exception that leaves by a door shows: every line of the user's, and none of ours."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

import effect_runtime
from effect_runtime import App, Forbidden, Invalid, fail
from effect_runtime.effect import Died
from effect_runtime.errors import UnhandledFailure
from tests.dispatch.world import Bench, Keep, Other, Refusal, Writing

pytestmark = pytest.mark.anyio

LIBRARY = str(Path(effect_runtime.__file__).parent)


def lines(error: BaseException) -> list[str]:
    """Return the functions that a traceback passes, without test and engine around them."""
    frames = traceback.extract_tb(error.__traceback__)
    assert not any(frame.filename.startswith(LIBRARY) for frame in frames)
    return [frame.name for frame in frames if frame.name in ("outer", "inner")]


async def test_a_failure_shows_every_line_of_nested_commands(bench: Bench) -> None:
    """From the outermost handler to the line that failed."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Other) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, 1)
        return (yield from fail(Refusal("no")))

    @notes.command(access="public")
    def outer(command: Keep) -> Writing[int, Refusal | Invalid | Forbidden]:
        return (yield from inner(Other(command.key)))

    async with bench.running(notes) as app:
        with pytest.raises(UnhandledFailure) as caught:
            await app.run(outer(Keep("a")))
    assert lines(caught.value) == ["outer", "inner"]


async def test_a_defect_shows_every_line_of_nested_commands(bench: Bench) -> None:
    """Also as an exit, with notes that name the commands."""
    notes = bench.context()

    @notes.command(access="public")
    def inner(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, 1)
        raise RuntimeError("bug")

    @notes.command(access="public")
    def outer(command: Keep) -> Writing[int, Invalid | Forbidden]:
        return (yield from inner(Other(command.key)))

    async with bench.running(notes) as app:
        died = await app.run_exit(outer(Keep("a")))
        with pytest.raises(RuntimeError) as caught:
            await app.run(outer(Keep("a")))
    assert isinstance(died, Died)
    assert lines(died.exception) == ["outer", "inner"]
    assert lines(caught.value) == ["outer", "inner"]
    assert died.exception.__notes__ == ["in notes.inner", "in notes.outer"]


async def test_debug_keeps_the_librarys_frames(bench: Bench) -> None:
    """For those who look for the fault in the library."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, 1)
        raise RuntimeError("bug")

    binding = notes.bind(bench.make, bench.make_reads, store=bench.store)
    async with App("debugged", contexts=[binding], transport=bench.recorded, debug=True).running() as app:
        died = await app.run_exit(keep(Keep("a")))
    assert isinstance(died, Died)
    frames = traceback.extract_tb(died.exception.__traceback__)
    assert any(frame.filename.startswith(LIBRARY) for frame in frames)
