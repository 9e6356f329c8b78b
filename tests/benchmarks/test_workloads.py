"""Every workload gives the right answer on both sides, at a small size. What it costs is nobody's business here."""

from __future__ import annotations

import tracemalloc
from importlib import import_module

import pytest

from benchmarks._environments import ENVIRONMENTS
from benchmarks._observe import observe
from benchmarks._registry import WORKLOADS
from benchmarks._workload import Side, Workload

SMALL = 100
SIDES = [
    pytest.param(workload, side, id=f"{workload.name}-{who}")
    for workload in WORKLOADS.values()
    for who, side in (("ours", workload.ours), ("theirs", workload.theirs))
]


@pytest.mark.parametrize(("workload", "side"), SIDES)
def test_a_side_answers_rightly_at_a_small_size(workload: Workload, side: Side) -> None:
    """Both programs of a workload do what the registry says they do."""
    if side.environment == "own":
        module, _, function = side.place.partition(":")
        figure, answer = getattr(import_module(module), function)(SMALL)
        assert answer == workload.expected(SMALL)
    elif (ENVIRONMENTS[side.environment].folder / "complete").exists():
        figure = observe(workload, side, SMALL)
    else:
        pytest.skip(f"environment {side.environment!r} is made by running the benchmarks")
    assert figure > 0
    assert not tracemalloc.is_tracing()  # or everything after it in this process is several times slower


def test_a_workload_is_found_by_its_own_name() -> None:
    """No two workloads share a name."""
    assert {name: workload.name for name, workload in WORKLOADS.items()} == {name: name for name in WORKLOADS}


def test_every_environment_is_one_that_is_known() -> None:
    """A side cannot name an environment that nobody makes."""
    named = {side.environment for each in WORKLOADS.values() for side in (each.ours, each.theirs)}
    assert named - {"own"} == set(ENVIRONMENTS)
