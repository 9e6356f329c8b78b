"""Plans that hypothesis draws: clients and deviations together, run by the same simulation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effect_runtime.errors import Counterexample
from effect_runtime.testing import Client, Deviations, Site, simulate
from effect_runtime.testing.properties import plans
from tests.simulation.corpus import bugs, twins
from tests.simulation.running import every_fault, simulation_of

BUG, TWIN = (simulation_of(cases()[0], faults=every_fault(cases()[0])) for cases in (bugs, twins))


def test_the_boring_plan_is_the_simplest() -> None:
    """Nothing deviates, and the run is sound."""
    assert simulate(BUG, Deviations()).plan == {}


@settings(max_examples=40, deadline=None)
@given(plan=plans(TWIN), who=st.permutations(TWIN.clients))
def test_a_twin_stands_what_hypothesis_draws(plan: Deviations, who: list[Client]) -> None:
    """Any few deviations, and clients in any order."""
    assert simulate(TWIN, plan, clients=who).failure is None


def test_hypothesis_finds_a_race_and_shrinks_it_to_one_deviation() -> None:
    """With a plain property: whatever it has drawn, what it reports is the least."""
    reported: list[Any] = []

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(plan=plans(BUG))
    def no_copy_is_lent_twice(plan: Deviations) -> None:
        try:
            simulate(BUG, plan)
        except Counterexample as found:
            reported.append(found)
            raise

    with pytest.raises(Counterexample) as found:
        no_copy_is_lent_twice()
    assert found.value.claim == "always(no_copy_is_lent_twice)"
    assert len(found.value.deviations) == 1


def test_a_plan_that_was_written_down_is_run_as_it_stands() -> None:
    """One switch, at a site by its name."""
    with pytest.raises(Counterexample) as found:
        simulate(BUG, {Site("shop", "ann", "Readings.get", 1, "schedule"): 1})
    assert found.value.deviations == ("switch at shop/ann Readings.get #1 (schedule)",)
