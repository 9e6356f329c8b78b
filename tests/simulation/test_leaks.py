"""After a run nothing of it is left: no task, no scope, no connection, no context, and no word about it."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import warnings
from collections import Counter

import pytest
from anyio._backends import _asyncio as engine

from effect_runtime.errors import Diverged, LeftSimulation
from effect_runtime.testing import Canonical, Faults, Simulation, Walk
from tests.simulation.corpus import bugs
from tests.simulation.diverging import HERE, KEEPERS, keeping
from tests.simulation.leaky import reaching
from tests.simulation.ourselves.machinery import counting
from tests.simulation.running import every_fault, simulation_of

RUNS = 300

KINDS = frozenset(
    {
        *(
            "Task",
            "Future",
            "coroutine",
            "generator",
            "async_generator",
            "Context",
            "frame",
            "traceback",
            "Event",
            "Lock",
        ),
        *(
            "CancelScope",
            "TaskGroup",
            "TaskState",
            "Connection",
            "Cursor",
            "Side",
            "Drive",
            "Disk",
            "Sql",
            "Broker",
            "App",
        ),
        *(
            "World",
            "Process",
            "Sequencer",
            "Incarnation",
            "Handle",
            "Trace",
            "Step",
            "Run",
            "Boundaries",
            "GuardedStore",
        ),
    }
)
"""What a run is made of: as much of it is there after many runs as after a few."""


def _alive() -> dict[str, int]:
    gc.collect()
    found = Counter(type(each).__name__ for each in gc.get_objects())
    return {kind: found[kind] for kind in sorted(KINDS)}


def _walk(simulation: Simulation, seeds: range) -> None:
    """Run with crashes, cancellations and whatever else the world allows, and keep nothing.

    The last run leaves its rows in the stores, and readers open: let it be the same each time.
    """
    for seed in seeds:
        simulation.run(Walk(seed, every=6), order="first come" if seed % 5 == 4 else "run to block")
    simulation.run(Canonical())


@pytest.mark.parametrize("number", [5, 7, 12, 16])
def test_many_runs_leave_as_little_as_a_few(number: int) -> None:
    """Relays, brokers, consumers and clients who are cancelled; crashed in all of them, and closed in the dark.

    The same runs are made again: a disk keeps as many readers as were ever open at once.
    """
    case = bugs()[number - 1]
    simulation = simulation_of(case, faults=every_fault(case))
    _walk(simulation, range(RUNS // 8))
    before = _alive()
    _walk(simulation, range(RUNS // 8))
    assert _alive() == before


def test_many_runs_take_no_memory() -> None:
    """Counted in blocks, so that what no collector sees is seen as well: a run that stays is thousands of them."""
    simulation = counting()

    def blocks_after(seeds: range) -> int:
        _walk(simulation, seeds)
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(range(RUNS // 3))
    assert (blocks_after(range(RUNS // 3)) - before) / (RUNS // 3) < 5


def test_worlds_leave_as_little_as_runs() -> None:
    """A suite makes a world for each of its tests, and a minimiser one for each selection."""

    def world() -> None:
        simulation = simulation_of(bugs()[2], faults=Faults(crashes=True))
        simulation.among(simulation.clients[:1], on_crash="abandon").run(Walk(3, every=4))

    for _ in range(3):
        world()
    before = _alive()
    for _ in range(10):
        world()
    assert _alive() == before


def test_nothing_is_said_about_what_was_left(capfd: pytest.CaptureFixture[str]) -> None:
    """No task was destroyed while it was pending, no coroutine never awaited, no connection left open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case = bugs()[15]
        _walk(simulation_of(case, faults=every_fault(case)), range(30))
        gc.collect()
    assert [str(each.message) for each in caught] == []
    assert capfd.readouterr() == ("", "")


def test_a_run_gives_everything_back_whatever_became_of_it() -> None:
    """The clock, the collector, the profiler, the loop and what anyio knows of tasks: after refusals, too."""
    clock, states = time.monotonic, len(engine._task_states)
    with pytest.raises(LeftSimulation):
        reaching("handler", time.monotonic).run(Canonical())
    simulation = keeping(KEEPERS[f"{HERE}.SEEN"])
    with pytest.raises(Diverged):
        simulation.confirm(simulation.run(Canonical()))
    assert (time.monotonic, sys.getprofile(), gc.isenabled()) == (clock, None, True)
    assert asyncio._get_running_loop() is None
    gc.collect()
    assert len(engine._task_states) == states
