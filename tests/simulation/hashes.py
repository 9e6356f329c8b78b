"""Print the hashes of some runs: `python -m tests.simulation.hashes`. Every machine and Python must print the same.

Worlds are the planted bugs and our own, each with every fault that it may be given, in both orders and with clients who
begin again and who give up. Plans are drawn (walks, a few deviations, priorities of fibers), and aimed at every fault.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from attrs import evolve

from effect_runtime.testing import Alternative, Canonical, Chooser, Faults, Planned, Run, Simulation, Site, Walk
from effect_runtime.testing.search._deviating import by_priority, sparse
from effect_runtime.testing.world._process import OnCrash
from tests.simulation.corpus import bugs
from tests.simulation.corpus.case import Case
from tests.simulation.ourselves.library import EVERYTHING, overdue, two_desks
from tests.simulation.ourselves.machinery import UNEASY, appointments, counting
from tests.simulation.running import every_fault, simulation_of

World: TypeAlias = Callable[[], Simulation]

SEEDS: Final = range(1)
AIMED: Final = 4
"""Plans of each world that are aimed at what has not been tried."""

MODES: Final[tuple[OnCrash, ...]] = ("retry", "abandon")
BOUND: Final = 2_000
"""How busy a run may be: one of the planted bugs is a livelock."""

REACH: Final = 60
"""Among how many questions of a run deviations are drawn."""


def utmost(faults: Faults, *, processes: int, is_wired: bool) -> Faults:
    """Return every fault that a world of so many processes may meet, on disks, and on a broker where it is wired."""
    return evolve(
        faults,
        power=processes > 1,
        storms=faults.crashes,
        verdicts=True,
        conflicts=True,
        messages=is_wired,
        poison=is_wired,
        answers=(timedelta(seconds=1),),
        pauses=(timedelta(minutes=1),),
        clocks=(timedelta(minutes=-2), timedelta(minutes=2)),
    )


def worlds() -> Mapping[str, World]:
    """Return the worlds by name."""
    ours = {
        "two desks": lambda: two_desks(faults=utmost(EVERYTHING, processes=3, is_wired=True)),
        "overdue": overdue,
        "counting": lambda: counting(faults=utmost(UNEASY, processes=1, is_wired=False)),
        "appointments": lambda: appointments(faults=utmost(UNEASY, processes=1, is_wired=False)),
    }
    return {f"bug {case.number}": _planted(case) for case in bugs()} | ours


def _planted(case: Case) -> World:
    contexts = len(case.app.bindings)
    is_wired = contexts > 1 or bool(case.hears)
    # The next version may be the present one: what counts is that other objects run the next life.
    faults = evolve(utmost(every_fault(case), processes=contexts, is_wired=is_wired), upgrade=case.app)
    return lambda: simulation_of(case, faults=faults)


def drawn() -> Iterator[Chooser]:
    """Yield choosers of each kind that a search draws."""
    for seed in SEEDS:
        random = Random(seed)
        yield Walk(seed, every=8 + 4 * seed)
        yield sparse(random, length=REACH, most=5).chooser()
        yield by_priority(random, length=REACH, depth=3).chooser()


def aimed(boring: Run, taken: Counter[Alternative]) -> Iterator[Chooser]:
    """Yield plans that take what was taken least so far, of all that a boring run is offered, each at some place."""
    places: dict[Alternative, list[tuple[Site, int]]] = {}
    for site, titles in boring.asked:
        for index, title in enumerate(titles[1:], 1):
            places.setdefault(title, []).append((site, index))
    random = Random(len(boring.asked))
    for title in sorted(places, key=lambda each: (taken[each], each))[:AIMED]:
        yield Planned(dict([random.choice(places[title])]))


def hashes() -> list[str]:
    """Return a line for each run: the world, what was departed to, the hash."""
    lines, taken, offered = [], Counter[Alternative](), set[Alternative]()
    for name, world in worlds().items():
        whole = world()
        patient, hasty = (whole.among(whole.clients, on_crash=each, bound=BOUND) for each in MODES)
        boring = patient.run(Canonical())
        offered.update(title for _, titles in boring.asked for title in titles[1:])
        for number, chooser in enumerate((*aimed(boring, taken), *drawn())):
            simulation = hasty if number % 2 else patient
            run = simulation.run(chooser, order="first come" if number % 4 == 3 else "run to block")
            titles = [alternatives[run.plan[site]] for site, alternatives in run.asked if site in run.plan]
            taken.update(titles)
            lines.append(f"{name}: {', '.join(titles)}: {run.trace.hash}")
    return [*lines, f"never taken: {', '.join(sorted(offered.difference(taken)))}"]


if __name__ == "__main__":
    logging.getLogger("effect_runtime").setLevel(logging.CRITICAL)  # what it tells of late messages is no warning
    print("\n".join(hashes()))
