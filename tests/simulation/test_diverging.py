"""Two runs of one plan that differ: the step, what usually does it, and what outlived the run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from effect_runtime.errors import Counterexample, Diverged
from effect_runtime.testing import Canonical, Faults, View, explore
from tests.simulation.diverging import HERE, KEEPERS, after, keeping

AGES = timedelta(hours=1)


class Counted:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


@pytest.mark.parametrize("name", KEEPERS)
def test_state_that_outlives_a_run_is_named(name: str) -> None:
    """It would not outlive a crash: whoever relies on it relies on what no restart gives back."""
    with pytest.raises(Diverged) as diverged:
        explore(keeping(KEEPERS[name]), budget=AGES, runs=60)
    assert name in diverged.value.outlived
    assert name in str(diverged.value).partition("would not outlive a crash: ")[2]


def test_state_in_a_closure_is_named_by_its_variable() -> None:
    """Handlers of a factory keep theirs there."""
    with pytest.raises(Diverged) as diverged:
        explore(keeping(Counted()), budget=AGES, runs=60)
    assert [each.rpartition(".")[2] for each in diverged.value.outlived] == ["go, keeper"]


def test_what_leaves_no_trace_of_itself_is_told_by_what_usually_does_it() -> None:
    """An address is another one in each run, and no two runs would agree on it."""
    held: list[object] = []

    def addressed() -> int:
        held.append(object())  # as long as it lives, no other has its address
        return id(held[-1])

    simulation = keeping(addressed)
    with pytest.raises(Diverged) as diverged:
        simulation.confirm(simulation.run(Canonical()))
    assert (diverged.value.step, diverged.value.outlived) == (1, ())
    assert "Shelf.put" in str(diverged.value.first)
    assert str(diverged.value).endswith(
        "Look, in what ran just before, for an id(), a set of objects that is iterated, a weak reference, "
        "or a clock not the transaction's."
    )


def test_every_fiftieth_run_of_a_search_is_run_twice() -> None:
    """On every rung: here a keeper begins to count among plans that come to nothing new."""
    began = after(60, KEEPERS[f"{HERE}.SEEN"])
    with pytest.raises(Diverged):
        explore(keeping(began, faults=Faults(crashes=True)), budget=AGES, runs=200)


def test_a_run_that_fails_is_run_twice_before_it_is_reported() -> None:
    """A blob that does not repeat what it was made of would be worse than none."""

    def nothing_is_put_down(view: View) -> bool:
        return False

    with pytest.raises(Diverged):
        explore(keeping(KEEPERS[f"{HERE}.SEEN"], always=[nothing_is_put_down]), budget=AGES)
    with pytest.raises(Counterexample):
        explore(keeping(lambda: 0, always=[nothing_is_put_down]), budget=AGES)
