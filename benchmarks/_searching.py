"""How long a search takes: every crash of one command, every plan of two deviations, a failure made small.

In processor time, because the machine has others to serve. Knows the worlds, not the bugs' causes.
"""

from __future__ import annotations

import time
from typing import Final

from attrs import frozen

from benchmarks._simulation import scenario
from effect_runtime.testing import Client, Faults, Simulation
from effect_runtime.testing.search._allowance import Allowance
from effect_runtime.testing.search._explore import Search
from tests.simulation.corpus import bugs
from tests.simulation.running import every_fault, simulation_of

_ENDLESS: Final = 600.0


@frozen(kw_only=True)
class Timing:
    """What was searched, how many plans that were, and how long it took."""

    name: str
    sites: int
    plans: int
    distinct: int
    seconds: float
    target: float


def timings() -> list[Timing]:
    """Measure what the design asks for."""
    return [
        _searched("crash sweep of one command, retried and abandoned", _clients(1, Faults(crashes=True)), 1, 0.05),
        _searched("all plans with <= 2 deviations, two clients", _clients(2, Faults()), 2, 1.5),
        _searched("all plans with <= 2 deviations, one client, crashes", _clients(1, Faults(crashes=True)), 2, 4.0),
        _shrunk(),
    ]


def _clients(count: int, faults: Faults) -> Simulation:
    """Return the measured world with some clients who send one command each."""
    world = scenario(faults)
    return world.among([Client(client.name, client.programs[:1]) for client in world.clients[:count]])


def _searched(name: str, simulation: Simulation, deviations: int, target: float) -> Timing:
    search = Search(simulation, _allowance(), deviations=deviations, seed=0)
    began = time.process_time()
    for _ in search.enumerate():
        raise AssertionError(name)  # a world that fails measures nothing
    spent = time.process_time() - began
    covered = search.coverage.covered
    return Timing(
        name=name,
        sites=covered.sites,
        plans=covered.plans,
        distinct=covered.distinct,
        seconds=round(spent, 4),
        target=target,
    )


def _shrunk() -> Timing:
    """Make the first bug's first failing run small."""
    case = bugs()[0]
    search = Search(simulation_of(case, faults=every_fault(case)), _allowance(), deviations=2, seed=0)
    failing = next(search.climb())
    began = time.process_time()
    small = search.minimal(failing)
    spent = time.process_time() - began
    return Timing(
        name="failure -> minimal plan",
        sites=search.coverage.covered.sites,
        plans=len(small.run.plan),
        distinct=1,
        seconds=round(spent, 4),
        target=0.3,
    )


def _allowance() -> Allowance:
    return Allowance(time.process_time, time.process_time() + _ENDLESS)
