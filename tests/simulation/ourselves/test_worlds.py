"""Our own worlds, briefly. With every change they are explored for minutes, and by hand for an hour."""

from __future__ import annotations

import pytest

from effect_runtime import Succeeded
from effect_runtime.testing import Canonical, Faults, Planned, Run, Simulation
from tests.simulation.ourselves.library import last_copy
from tests.simulation.ourselves.machinery import counting
from tests.simulation.ourselves.worlds import WORLDS

CRASHES = Faults(crashes=True)
KILLS = ("crash before", "crash after")


def crashed(simulation: Simulation, *, every: int = 1) -> list[Run]:
    """Run once for every crash, or for one of so many, that the boring run offers."""
    asked = simulation.run(Canonical()).asked
    plans = [{site: index} for site, titles in asked for index, title in enumerate(titles) if title in KILLS]
    with simulation.shut_in():
        return [simulation.run(Planned(plan)) for plan in plans[::every]]


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_is_sound_when_nothing_goes_wrong(name: str) -> None:
    """In both orders that are boring."""
    simulation = WORLDS[name]()
    runs = [simulation.run(Canonical(), order=order) for order in ("run to block", "first come")]
    assert [run.failure for run in runs] == [None, None]


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_survives_crashes(name: str) -> None:
    """One of every twelve places, spread over the whole run: the search tries all of them."""
    runs = crashed(WORLDS[name](), every=12)
    assert [(run.failure, run.crashes) for run in runs] == [(None, 1)] * len(runs)


def test_a_command_is_answered_alike_wherever_its_process_died() -> None:
    """A client who retries under the same id gets the answer of the first success."""
    runs = crashed(counting(faults=CRASHES), every=3)
    answers = {tuple(sorted(exit.value for exits in run.exits.values() for exit in exits)) for run in runs}  # type: ignore[union-attr]  # a retried program has an exit; one that failed shows here
    assert answers == {(1, 2, 3, 4, 5, 6)}


def test_who_brings_the_last_copy_back_serves_the_line() -> None:
    """What the library's four worlds stand for, undisturbed: the copy goes from hand to hand."""
    run = last_copy(faults=CRASHES).run(Canonical(), order="first come")
    assert run.reached == ("somebody_waits", "a_hold_is_served")
    assert [type(exit) for exit in run.exits["cid"]] == [Succeeded, Succeeded]
