"""A pytest plugin: a fixture that searches simulations, a budget for all searches, and replay of one found plan.

    pytest --simulate-budget 60                      each search goes on for a minute
    pytest -k test_loans --simulate-replay sim1:...  the run of a report, once more

What a search has covered, and the trace of a run, are shown with a test that fails.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, final

import pytest

from effect_runtime.testing._coverage import Complete, Covered
from effect_runtime.testing._explore import BUDGET, explore, replay
from effect_runtime.testing._report import lines_of
from effect_runtime.testing._simulation import Simulation
from effect_runtime.testing._site import Canonical, Chooser
from effect_runtime.testing._world import Run

_BUDGET: Final = "--simulate-budget"
_REPLAY: Final = "--simulate-replay"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("simulate", "effect_runtime simulations")
    group.addoption(_BUDGET, type=float, metavar="SECONDS", help="how long each search goes on")
    group.addoption(_REPLAY, metavar="BLOB", help="repeat one run instead of searching")


@final
class Explorer:
    """Searches simulations for one test, as the command line says."""

    def __init__(self, node: pytest.Item, *, budget: timedelta | None, blob: str | None) -> None:
        self._node = node
        self._budget = budget
        self._blob = blob

    def __call__(self, simulation: Simulation, **options: Any) -> Covered | Complete | Run:
        """Search as `explore` does, with its options; or repeat the run of the blob that the command line names."""
        if self._blob is not None:
            return self._told(replay(simulation, self._blob))
        options["budget"] = self._budget or options.get("budget", BUDGET)
        covered = explore(simulation, **options)
        self._node.add_report_section("call", "simulation", str(covered))
        return covered

    def run(self, simulation: Simulation, chooser: Chooser | None = None) -> Run:
        """Run once, undisturbed unless a chooser is given; the trace is shown if the test fails."""
        return self._told(simulation.run(chooser or Canonical()))

    def _told(self, run: Run) -> Run:
        self._node.add_report_section("call", "simulation trace", "\n".join(lines_of(run)))
        return run


@pytest.fixture
def explorer(request: pytest.FixtureRequest) -> Explorer:
    """Search simulations: `explorer(simulation)` is `explore` with the budget of the command line."""
    seconds = request.config.getoption(_BUDGET)
    budget = None if seconds is None else timedelta(seconds=seconds)
    return Explorer(request.node, budget=budget, blob=request.config.getoption(_REPLAY))
