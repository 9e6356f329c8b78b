"""What a search says of itself: what was tried without a gap, of what came next, and what was never tried."""

from __future__ import annotations

from datetime import timedelta

from effect_runtime.testing import Canonical, Complete, Covered, Faults, Planned, Tally, explore
from effect_runtime.testing.search._coverage import Coverage
from tests.simulation.corpus import twins
from tests.simulation.running import simulation_of

CRASHES = Faults(crashes=True)


def _covered(**options: object) -> Covered:
    return Covered(deviations=1, plans=6, drawn=0, distinct=4, sites=3, boundaries={}, **options)  # type: ignore[arg-type]  # checked by attrs' own signature


def test_before_and_after_go_together_where_they_come_to_the_same() -> None:
    """Half as much to read; where one was tried less often, both are told."""
    same = {"crash after": Tally(4, 4), "crash before": Tally(4, 4), "switch": Tally(2, 2)}
    complete = Complete(plans=6, distinct=4, sites=3, boundaries=same)
    assert str(complete) == (
        "complete: every plan there is; 6 plans, 4 distinct outcomes, 3 sites; "
        "crash before/after: 4/4 places; switch: 2/2 places"
    )
    other = Complete(plans=6, distinct=4, sites=3, boundaries={**same, "crash before": Tally(1, 4, ("a/b go",))})
    assert str(other).endswith(
        "crash after: 4/4 places; crash before: 1/4 places (never at a/b go ...); switch: 2/2 places"
    )


def test_what_was_tried_of_the_next_size_and_why_it_ended_are_told() -> None:
    """A bound is a statement; what goes beyond it is counted beside it."""
    assert str(_covered(further=85, stopped="the runs were spent")) == (
        "covered: all plans with <= 1 deviation and 85 of those with 2; 6 plans, 4 distinct outcomes, 3 sites; "
        "ended because the runs were spent"
    )


def test_places_that_were_never_tried_are_named() -> None:
    """Two of them, so that somebody can look there."""
    world = simulation_of(twins()[9], faults=CRASHES)
    boring = world.run(Canonical())
    coverage = Coverage()
    coverage.add(boring)
    site, titles = boring.asked[0]
    coverage.add(world.run(Planned({site: titles.index("crash before")})))
    tally = coverage.boundaries["crash before"]
    assert (tally, len(tally.missed)) == (Tally(1, 5), 2)
    assert coverage.boundaries["crash after"].tried == 0
    assert (coverage.covered.plans, coverage.covered.further) == (2, 1)


def test_a_search_counts_what_it_has_tried_beyond_its_bound() -> None:
    """Some of the plans with two deviations, before the runs were spent."""
    world = simulation_of(twins()[9], faults=CRASHES)
    covered = explore(world, budget=timedelta(hours=1), runs=60)
    assert isinstance(covered, Covered)
    assert covered.deviations == 1
    assert 0 < covered.further < covered.plans
    assert " and " in str(covered).partition(";")[0]


def test_a_finite_world_needs_no_reason_to_end() -> None:
    """Everything was tried."""
    complete = explore(simulation_of(twins()[0], faults=Faults()), budget=timedelta(hours=1))
    assert isinstance(complete, Complete)
    assert "ended because" not in str(complete)
    assert {title: tally.missed for title, tally in complete.boundaries.items()} == {"switch": ()}
