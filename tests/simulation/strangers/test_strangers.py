"""Bugs of strangers: the search finds what its authors have not planted, and leaves alone what is right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from effect_runtime.errors import Counterexample
from effect_runtime.testing import Canonical, Simulation, explore
from tests.simulation.strangers import strangers
from tests.simulation.strangers.premises import Stranger

AGES = timedelta(hours=1)


def _named(stranger: Stranger) -> str:
    return stranger.title


def _found(world: Simulation, *, runs: int, seed: int) -> Counterexample:
    with pytest.raises(Counterexample) as found:
        explore(world, budget=AGES, runs=runs, seed=seed)
    return found.value


@pytest.mark.parametrize("stranger", strangers(), ids=_named)
def test_the_boring_run_shows_nothing(stranger: Stranger) -> None:
    """Whoever tries it once, in one order, is content with the bug and with its twin."""
    assert [stranger.world(planted).run(Canonical()).is_sound for planted in (True, False)] == [True, True]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("stranger", [each for each in strangers() if each.deviations < 3], ids=_named)
def test_the_bug_is_found_with_as_few_deviations_as_it_needs(stranger: Stranger, seed: int) -> None:
    """Within a thousand runs; nothing smaller shows it."""
    found = _found(stranger.world(True), runs=1_000, seed=seed)
    assert (len(found.deviations), found.least) == (stranger.deviations, True)


@pytest.mark.parametrize("stranger", strangers(), ids=_named)
def test_the_twin_gives_no_alarm(stranger: Stranger) -> None:
    """Every single deviation that fits into sixty runs, and some more by chance."""
    assert explore(stranger.world(False), budget=AGES, runs=60, deviations=1).boundaries
