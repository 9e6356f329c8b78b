"""A process that dies forgets all that is not durable: crashes that leave the same behind come to the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import pytest

from effect_runtime.testing import Canonical, Faults, Planned, Run, Simulation
from effect_runtime.testing.search._growing import Seed, larger
from tests.simulation.corpus import bugs
from tests.simulation.ourselves.library import last_copy
from tests.simulation.ourselves.machinery import counting, parking
from tests.simulation.running import every_fault, simulation_of

CRASHES: Final = Faults(crashes=True)
ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

WORLDS: Final[dict[str, Callable[[], Simulation]]] = {
    "the library": lambda: last_copy(faults=CRASHES),
    "idempotent commands": lambda: counting(faults=CRASHES),
    "parked events, all processes at once": lambda: parking(faults=Faults(crashes=True, power=True)),
    **{
        f"bug {case.number}": lambda case=case: simulation_of(case, faults=every_fault(case))  # type: ignore[misc]  # a lambda's default
        for case in bugs()
        if "crash" in case.needs
    },
}


def after_the_crash(run: Run) -> Sequence[str]:
    """Return what happened since the process died, whatever ids were drawn."""
    lines = list(run.trace.lines())
    death = next(number for number, line in enumerate(lines) if " CRASH(" in line)
    return [ID.sub("<id>", line) for line in lines[death:]]


@pytest.mark.parametrize("world", WORLDS)
def test_crashes_that_leave_the_same_behind_come_to_the_same(world: str) -> None:
    """Who stands for others, and two of those: one verdict, one answer, one story from then on."""
    simulation = WORLDS[world]()
    boring = simulation.run(Canonical())
    if boring.failure is not None:
        return  # it shows without any crash
    root = Seed({}, boring.asked, boring.remains, "retry", False)
    shared = [growth for growth in larger([root], Random(0)) if growth.alike]
    for growth in shared:
        titles = dict(boring.asked)
        chosen = dict.fromkeys((growth.alike[0], growth.alike[-1]))
        plans = [growth.plan, *({site: titles[site].index(title)} for site, title in chosen)]
        for mode in ("retry", "abandon"):
            world_of_mode = simulation.among(simulation.clients, on_crash=mode)
            runs = [world_of_mode.run(Planned(plan)) for plan in plans]
            told = {(run.failure, ID.sub("<id>", repr(run.exits)), *after_the_crash(run)) for run in runs}
            assert len(told) == 1, plans
    assert not simulation.crashes or shared
