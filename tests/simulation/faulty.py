"""What tests of faults have in common: worlds with everything on offer, and which single departure shows a bug."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from effect_runtime.testing import Canonical, Planned, Run, Simulation

MINUTE: Final = timedelta(minutes=1)

SECOND: Final = timedelta(seconds=1)


def shown(simulation: Simulation) -> set[str]:
    """Return in which ways one departure from the boring run makes it fail; the boring run itself must not."""
    with simulation.shut_in():
        boring = simulation.run(Canonical())
        assert boring.is_sound
        return {
            title
            for site, titles in boring.asked
            for index, title in enumerate(titles)
            if index and not simulation.run(Planned({site: index})).is_sound
        }


def of(simulation: Simulation, title: str, *, nth: int = 1) -> Run:
    """Run with the one departure of that title, where it is offered for the `nth` time, and confirm that run."""
    sites = [(site, titles.index(title)) for site, titles in simulation.run(Canonical()).asked if title in titles]
    run = simulation.run(Planned(dict([sites[nth - 1]])))
    simulation.confirm(run)
    return run
