"""Scenario 31: a handler of domain events, three deep, raises after it has published; domain events in a circle.

Observable: everything is rolled back: no business row, no outbox row, nothing after the commit. A circle stops at its
bound with an error that names it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effect_runtime import App, Failed, Schedule, Succeeded, emit, fail, publish
from effect_runtime.dispatch import EventQueue
from effect_runtime.effect import Died
from effect_runtime.errors import EventCycle
from tests.dispatch.desk import FiledOccurred
from tests.dispatch.world import Bench, CountedOccurred, Keep, KeptOccurred, NoteKept, Refusal, StoreKind, Writing

pytestmark = pytest.mark.anyio


def deep(bench: Bench, *, end: str, told: list[str]) -> tuple[Any, Any]:
    """Return a command whose event causes an event that causes one; each level writes and publishes."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[None, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("first", 1)
        yield from publish(NoteKept("first"))
        yield from emit(KeptOccurred(command.key))

    @notes.on(KeptOccurred)
    def second(event: KeptOccurred) -> Writing[None, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("second", 2)
        yield from publish(NoteKept("second"))
        yield from emit(FiledOccurred("third"))
        yield from emit(CountedOccurred(0))

    @notes.on(CountedOccurred)
    def third(event: CountedOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("third", 3)
        yield from publish(NoteKept("third"))
        if end == "raise":
            raise ArithmeticError("three deep")
        if end == "circle":
            yield from emit(CountedOccurred(event.number + 1))

    @notes.after_commit(FiledOccurred, queue=EventQueue("mail", immediate=0, schedule=Schedule().times(1)))
    def tell(event: FiledOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("told", 4)
        told.append(event.key)

    return notes, keep


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize(("end", "defect"), [("raise", ArithmeticError), ("circle", EventCycle)])
async def test_scenario_31_a_defect_three_deep_leaves_nothing(
    tmp_path: Path, kind: StoreKind, end: str, defect: type[Exception]
) -> None:
    """No row of any level, no event of any level, and nobody is told after a commit that never was."""
    bench, told = Bench.on(kind, tmp_path), list[str]()
    notes, keep = deep(bench, end=end, told=told)
    async with bench.running(notes) as app:
        exit = await app.run_exit(keep(Keep("a")))
        assert isinstance(exit, Died)
        assert isinstance(exit.exception, defect)
        await app.settled()
        assert (await bench.rows(), bench.published(), told, await bench.audit()) == ({}, [], [], [])


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_31_without_the_defect_all_of_it_happens(tmp_path: Path, kind: StoreKind) -> None:
    """The control: every level's row and event, and one handler after the commit."""
    bench, told = Bench.on(kind, tmp_path), list[str]()
    notes, keep = deep(bench, end="well", told=told)
    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Succeeded(None)
        await app.settled()
        assert await bench.rows() == {"first": 1, "second": 2, "third": 3, "told": 4}
        assert [envelope.key for envelope in bench.published()] == ["first", "second", "third"]
        assert told == ["third"]


async def test_scenario_31_a_veto_fails_the_command(tmp_path: Path) -> None:
    """A failure that the event declares is the command's own, and leaves as little."""
    bench = Bench.on("sqlite", tmp_path)
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[None, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("first", 1)
        yield from publish(NoteKept("first"))
        yield from emit(KeptOccurred(command.key))

    @notes.on(KeptOccurred)
    def veto(event: KeptOccurred) -> Writing[None, Refusal]:
        yield from fail(Refusal("no"))

    app: App
    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Refusal("no"))
        assert (await bench.rows(), bench.published()) == ({}, [])
