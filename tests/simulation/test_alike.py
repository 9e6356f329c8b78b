"""A process that dies forgets all that is not durable: crashes that leave the same behind come to the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from effect_runtime.testing import Alternative, Canonical, Faults, Planned, Run, Simulation, Site
from tests.simulation.corpus import bugs
from tests.simulation.ourselves.library import last_copy
from tests.simulation.ourselves.machinery import counting, parking
from tests.simulation.running import every_fault, simulation_of

CRASHES: Final = Faults(crashes=True)
ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

WORLDS: Final[dict[str, Callable[[], Simulation]]] = {
    "the library": lambda: last_copy(faults=CRASHES),
    "idempotent commands": lambda: counting(faults=CRASHES),
    "parked events": lambda: parking(faults=CRASHES),
    **{
        f"bug {case.number}": lambda case=case: simulation_of(case, faults=every_fault(case))  # type: ignore[misc]  # a lambda's default
        for case in bugs()
    },
}


def classes(run: Run) -> dict[Any, list[tuple[Site, int]]]:
    """Return the crashes that a run offers, those together that leave the same behind."""
    found: dict[Any, list[tuple[Site, int]]] = {}
    for site, titles in run.asked:
        for index, title in enumerate(titles):
            left = left_by(run, site, title)
            if left is not None:
                found.setdefault((site.process, left), []).append((site, index))
    return found


def left_by(run: Run, site: Site, title: Alternative) -> Any:
    """Return what a crash leaves behind."""
    return dict(zip(("crash before", "crash after"), run.remains.get(site, ()), strict=False)).get(title)


def after_the_crash(run: Run) -> Sequence[str]:
    """Return what happened since the process died, whatever ids were drawn."""
    lines = list(run.trace.lines())
    death = next(number for number, line in enumerate(lines) if " CRASH(" in line)
    return [ID.sub("<id>", line) for line in lines[death:]]


@pytest.mark.parametrize("world", WORLDS)
def test_crashes_that_leave_the_same_behind_come_to_the_same(world: str) -> None:
    """Of every class the first, one from the middle and the last: one verdict, one answer, one story from then on."""
    simulation = WORLDS[world]()
    boring = simulation.run(Canonical())
    if boring.failure is not None:
        return  # it shows without any crash
    shared = 0
    for crashes in classes(boring).values():
        chosen = dict.fromkeys((crashes[0], crashes[len(crashes) // 2], crashes[-1]))
        shared += len(chosen) > 1
        for mode in ("retry", "abandon"):
            runs = [
                simulation.among(simulation.clients, on_crash=mode).run(Planned({site: index}))
                for site, index in chosen
            ]
            told = {(run.failure, ID.sub("<id>", repr(run.exits)), *after_the_crash(run)) for run in runs}
            assert len(told) == 1, [*chosen]
    assert not simulation.crashes or shared
