"""Bugs of strangers: the search finds what its authors have not planted, and leaves alone what is right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from effect_runtime.errors import Counterexample
from effect_runtime.testing import Canonical, explore, replay
from tests.simulation.strangers import strangers
from tests.simulation.strangers.premises import Stranger

AGES = timedelta(hours=1)
PAIRS = 2
"""As many deviations as are tried without a gap, unless a search is asked for more."""


def _named(stranger: Stranger) -> str:
    return stranger.title


def _found(stranger: Stranger, *, runs: int = 1_000, seed: int = 0, deviations: int = PAIRS) -> Counterexample:
    with pytest.raises(Counterexample) as found:
        explore(stranger.world(True), budget=AGES, runs=runs, seed=seed, deviations=deviations)
    return found.value


@pytest.mark.parametrize("stranger", strangers(), ids=_named)
def test_the_boring_run_shows_nothing(stranger: Stranger) -> None:
    """Whoever tries it once, in one order, is content with the bug and with its twin."""
    assert [stranger.world(planted).run(Canonical()).is_sound for planted in (True, False)] == [True, True]


@pytest.mark.parametrize("stranger", [each for each in strangers() if each.deviations <= PAIRS], ids=_named)
def test_the_bug_is_found_with_as_few_deviations_as_it_needs_and_found_again_by_its_blob(stranger: Stranger) -> None:
    """Within five hundred runs; nothing smaller shows it, and the blob shows the same in a world made anew."""
    found = _found(stranger, runs=500)
    assert (len(found.deviations), found.least) == (stranger.deviations, True)
    with pytest.raises(Counterexample) as again:
        replay(stranger.world(True), found.blob)
    assert (again.value.claim, again.value.deviations) == (found.claim, found.deviations)


@pytest.mark.parametrize("stranger", [each for each in strangers() if each.deviations == PAIRS], ids=_named)
def test_what_needs_two_deviations_is_found_by_another_seed_too(stranger: Stranger) -> None:
    """Luck has no part in it."""
    assert len(_found(stranger, seed=1).deviations) == PAIRS


@pytest.mark.parametrize("stranger", [each for each in strangers() if each.deviations > PAIRS], ids=_named)
def test_what_needs_three_deviations_is_found_by_whoever_asks_for_three(stranger: Stranger) -> None:
    """Within a thousand runs it is found by chance."""
    assert len(_found(stranger, runs=6_000, deviations=3).deviations) == stranger.deviations


@pytest.mark.parametrize("stranger", strangers(), ids=_named)
def test_the_twin_gives_no_alarm(stranger: Stranger) -> None:
    """The first thirty plans, which are many of the single deviations."""
    assert explore(stranger.world(False), budget=AGES, runs=30, deviations=1).boundaries
