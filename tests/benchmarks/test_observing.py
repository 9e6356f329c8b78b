"""The frame refuses wrong programs and says which one was wrong."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks._observe import WorkerFailed, WrongResult, compare, observe
from benchmarks._workload import Side, Target, Workload

RIGHT, WRONG, BROKEN = (Side(f"tests.benchmarks.sides:{name}") for name in ("right", "wrong", "broken"))
WORKLOAD = Workload(
    name="play",
    claim="a program against itself",
    unit="ns",
    peer="itself",
    ours=RIGHT,
    theirs=RIGHT,
    target=Target(1, "lower"),
    count=3,
    expected=lambda count: count,
)


def test_an_observation_is_the_figure_of_a_fresh_process() -> None:
    """A worker prints figure and answer; the figure comes back."""
    assert observe(WORKLOAD, RIGHT, 3) == 2.0


def test_a_wrong_answer_is_refused_however_fast_it_came() -> None:
    """A fast wrong program has no figure."""
    with pytest.raises(WrongResult) as caught:
        compare(evolve(WORKLOAD, ours=WRONG), rounds=1)
    assert str(caught.value) == (
        "play: tests.benchmarks.sides:wrong answered 4, not 3. Correct the program, then measure."
    )


def test_a_worker_that_raises_is_reported_with_its_traceback() -> None:
    """What went wrong in the other process is readable in this one."""
    with pytest.raises(WorkerFailed, match=r"tests\.benchmarks\.sides:broken in environment 'own' failed") as caught:
        observe(WORKLOAD, BROKEN, 3)
    assert str(caught.value).endswith("LookupError: 3")


def test_a_program_against_itself_has_the_ratio_one() -> None:
    """Rounds of equal figures give a ratio of one, no noise, and the target of one is met."""
    comparison = compare(WORKLOAD, rounds=2)
    assert (comparison.ours, comparison.theirs, comparison.same) == ((2.0, 2.0), (2.0, 2.0), ((2.0, 2.0), (2.0, 2.0)))
    assert (comparison.ratio.centre, comparison.noise, comparison.verdict) == (1.0, 0.0, True)


def test_a_side_must_name_module_and_function() -> None:
    """A slip in the registry is found where it is written."""
    with pytest.raises(ValueError, match="a side is written module:function, not 'benchmarks'"):
        Side("benchmarks")
