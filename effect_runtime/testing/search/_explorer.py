"""Searches for one test, as a command line says: with its budget and seed, or the run of one blob instead.

A blob belongs to one world. Where it is met by others, they run undisturbed, and it is said at the end where the plan
was repeated. Knows no pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final, final

from attrs import define, field

from effect_runtime.errors import Counterexample, SitesVanished
from effect_runtime.testing.loop._site import Canonical, Chooser
from effect_runtime.testing.search._blob import Blob
from effect_runtime.testing.search._coverage import Complete, Covered
from effect_runtime.testing.search._explore import BUDGET, explore, replay
from effect_runtime.testing.search._report import lines_of
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._simulation import Simulation

_MENDED: Final = "passes; the program has changed since this was found"
_UNCHANGED: Final = (
    "passes, although undisturbed the program does what it did when this was found: look at the claims and the faults"
)


@final
@define(eq=False)
class Replays:
    """One blob, and what came of it in each test: owned by the session of the tests."""

    blob: str
    repeated: dict[str, str] = field(factory=dict)
    missed: dict[str, str] = field(factory=dict)

    @classmethod
    def of(cls, text: str) -> Replays:
        """Take a blob; raises `errors.BlobUnreadable`."""
        Blob.of(text)
        return cls(text)

    def lines(self) -> Iterator[str]:
        """Say where the plan was repeated; if nowhere, what is missing there."""
        if self.repeated:
            yield from (f"{test}: {outcome}" for test, outcome in self.repeated.items())
        elif self.missed:
            yield "no test has the world of this plan, so nothing was repeated:"
            yield from (f"{test}: {reason}" for test, reason in self.missed.items())
        else:
            yield "no test that was selected asks for the fixture `explorer`, so nothing was repeated"


@final
class Explorer:
    """Searches simulations for one test: the fixture `explorer` of the pytest plugin."""

    def __init__(
        self,
        test: str,
        *,
        tell: Callable[[str, str], None],
        budget: timedelta | None = None,
        seed: int | None = None,
        replays: Replays | None = None,
    ) -> None:
        self._test = test
        self._tell = tell
        self._budget = budget
        self._seed = seed
        self._replays = replays

    def __call__(self, simulation: Simulation, **options: Any) -> Covered | Complete | Run:
        """Search as `explore` does, with its options; or repeat the run of the blob that the command line names.

        A world that has not got the sites of the plan is run once, undisturbed.
        """
        __tracebackhide__ = True
        if self._replays is not None:
            return self._repeated(self._replays, simulation)
        options["budget"] = self._budget or options.get("budget", BUDGET)
        if self._seed is not None:
            options["seed"] = self._seed
        covered = explore(simulation, **options)
        self._tell("simulation", str(covered))
        return covered

    def run(self, simulation: Simulation, chooser: Chooser | None = None) -> Run:
        """Run once, undisturbed unless a chooser is given; the trace is shown if the test fails."""
        return self._told(simulation.run(chooser or Canonical()))

    def _repeated(self, replays: Replays, simulation: Simulation) -> Run:
        __tracebackhide__ = True
        try:
            run = replay(simulation, replays.blob)
        except SitesVanished as other:
            replays.missed[self._test] = str(other)
            return self.run(simulation)
        except Counterexample:
            replays.repeated[self._test] = "fails as it did"
            raise
        replays.repeated[self._test] = _MENDED if run.has_changed else _UNCHANGED
        return self._told(run)

    def _told(self, run: Run) -> Run:
        self._tell("simulation trace", "\n".join(lines_of(run)))
        return run
