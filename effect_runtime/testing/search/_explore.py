"""Search a simulation for a run that fails: a ladder from the boring run to plans that are drawn.

Each rung is a statement about what was tried: the boring run twice, every crash with clients who retry and who give
up, every plan with one deviation, with two, and with more while there are few; then plans drawn by chance, until what
was allowed is spent. What fails is made small and told; what does not is counted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from random import Random
from typing import Final, final

from attrs import evolve

from effect_runtime.errors import NeverReached, SitesVanished
from effect_runtime.interpreter import Host
from effect_runtime.testing.loop._sequencer import Order
from effect_runtime.testing.loop._site import Alternative, Canonical, Chooser, Kind, Plan, Planned
from effect_runtime.testing.search._allowance import Allowance
from effect_runtime.testing.search._blob import DIGITS, Blob, Named
from effect_runtime.testing.search._coverage import Complete, Coverage, Covered, Place
from effect_runtime.testing.search._deviating import Again, Deviations, Together, by_priority, sparse
from effect_runtime.testing.search._growing import Growth, Seed, in_turns, larger
from effect_runtime.testing.search._minimal import Failing, everything, minimised, selected
from effect_runtime.testing.search._report import counterexample, digest_of
from effect_runtime.testing.world._process import Client, OnCrash
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._simulation import Simulation

BUDGET: Final = timedelta(seconds=10)
"""How long a search goes on unless it is told otherwise."""

_MINIMISING: Final = timedelta(seconds=5)
_ENUMERATED: Final = 0.6
"""The part of what is left that enumerating may take, before plans are drawn."""

_FEW: Final = 2_000
"""Plans of the next size that are tried although nobody asked: a world that ends soon is searched to its end."""

_BUSY: Final = 1_000
_BUSIER: Final = 10

_MOST_DEVIATIONS: Final = 6
_DEPTH: Final = 3
_EVERY: Final = 50
_AGAIN: Final = 3


def explore(
    simulation: Simulation,
    *,
    budget: timedelta = BUDGET,
    runs: int | None = None,
    deviations: int = 2,
    seed: int = 0,
    clock: Callable[[], float] | None = None,
) -> Covered | Complete:
    """Search for a run in which something fails, and return what was tried when none does.

    It ends when `budget` has passed on `clock`, the real one by default, after `runs`, or when every plan there is was
    tried: `Complete`. Every plan with up to `deviations` departures from the boring run is tried, as far as that
    allows; `seed` decides their order and what is drawn after them. Raises `errors.Counterexample` with the smallest
    failing run and a blob to repeat it, `errors.Diverged` when two runs of one plan differ, `errors.NeverReached` when
    a claim of `sometimes` held in no run.
    """
    __tracebackhide__ = True  # of pytest: the report says it all
    clock = clock or Host().time.monotonic
    allowance = Allowance(clock, clock() + budget.total_seconds(), runs)
    search = Search(simulation, allowance, deviations=deviations, seed=seed)
    for failing in search.climb():
        raise search.reported(failing)
    search.finish()
    if search.is_complete:
        return search.coverage.complete
    search.coverage.stopped = "the runs were spent" if allowance.runs == 0 else "the budget was spent"
    return search.coverage.covered


def replay(simulation: Simulation, blob: str) -> Run:
    """Repeat the run that a report's blob describes, and return it when it is sound now.

    A program that was mended is another one, so this is no error; `Run.has_changed` says whether it is: whether it
    does something else, undisturbed or by this plan, than when the blob was made. Raises `errors.Counterexample` when
    it still fails, `errors.SitesVanished` with what does not come up any more, and `errors.BlobUnreadable`.
    """
    __tracebackhide__ = True
    told = Blob.of(blob)
    here = {client.name: len(client.programs) for client in simulation.clients}
    gone = [
        f"program {number} of client {name}"
        for name, numbers in told.programs
        for number in numbers
        if number >= here.get(name, 0)
    ]
    if gone:
        raise SitesVanished(gone)
    world = selected(simulation, told.programs, on_crash=told.on_crash)
    chooser = Named(told.deviations)
    run = world.run(chooser, order=told.order)
    found = Failing(
        simulation=world, run=run, on_crash=told.on_crash, order=told.order, selection=told.programs, least=None
    )
    was_else = digest_of(found) != told.digest
    has_changed = was_else or told.run_digest not in ("", run.trace.deeds[:DIGITS])
    if run.failure is not None:
        since = "; the program has changed since" if has_changed else ""
        raise counterexample(found, covered=f"repeated from its blob{since}")
    if chooser.missed:
        sites = [str(site) for site in chooser.missed]
        raise SitesVanished(sites, has_changed=was_else, is_seed_drawn=_is_seed_drawn())
    return evolve(run, has_changed=has_changed)


def _is_seed_drawn() -> bool:
    """Tell whether strings hash otherwise in each process."""
    given = None if sys.flags.ignore_environment else os.environ.get("PYTHONHASHSEED")
    return bool(sys.flags.hash_randomization) and given in (None, "", "random")


def simulate(simulation: Simulation, plan: Deviations | Plan, *, clients: Sequence[Client] | None = None) -> Run:
    """Run once by a plan, drawn or written down, and return the run when it is sound.

    `clients` come instead of the simulation's own. Raises `errors.Counterexample` when something fails; it is not made
    smaller here: Hypothesis does that with what it has drawn, `explore` with what it has found.
    """
    __tracebackhide__ = True
    world = simulation if clients is None else simulation.among(clients)
    run = world.run(plan.chooser() if isinstance(plan, Deviations) else Planned(plan))
    if run.failure is not None:
        mode, whole = world.on_crash, everything(world)
        failing = Failing(simulation=world, run=run, on_crash=mode, order=run.order, selection=whole)
        raise counterexample(failing, covered="one plan was run")
    return run


@final
class Search:
    """A search while it goes on. `tried` counts the runs before a failure, `coverage` what they were."""

    def __init__(self, simulation: Simulation, allowance: Allowance, *, deviations: int, seed: int) -> None:
        self.coverage = Coverage()
        self.is_complete = False
        self.tried = 0
        self._simulation = simulation
        self._allowance = allowance
        self._deviations = deviations
        self._random = Random(seed)
        self._modes: tuple[OnCrash, ...] = ("retry", "abandon") if simulation.crashes else ("retry",)
        self._worlds = {mode: simulation.among(simulation.clients, on_crash=mode) for mode in self._modes}
        self._order: Order = "run to block"
        self._root = Seed({}, (), {}, "retry", False)
        self._operations = set[str]()

    def climb(self) -> Iterator[Failing]:
        """Yield runs that fail; stop asking for more at any time."""
        yield from self._boring()
        yield from self._enumerated(self._allowance.share(_ENUMERATED))
        if not self.is_complete:
            yield from self._drawn()

    def enumerate(self) -> Iterator[Failing]:
        """Yield runs that fail among those with as many deviations as were asked for; then stop."""
        yield from self._boring()
        yield from self._enumerated(self._allowance, few=0)

    def finish(self) -> None:
        """Raise if something that should have held once never did."""
        missing = [name for name in self._simulation.sometimes if name not in self.coverage.reached]
        if missing:
            raise NeverReached(missing, covered=str(self.coverage.covered))

    def reported(self, failing: Failing) -> Exception:
        """Make a failing run small, and return the error that tells of it."""
        found = self.coverage.covered
        passed = found.within if self.tried > 1 else "nothing, for it is the boring run"
        covered = f"found by plan {self.tried:,}, {found.distinct:,} distinct outcomes; passed before: {passed}"
        return counterexample(self.minimal(failing), covered=covered)

    def minimal(self, failing: Failing) -> Failing:
        """Return the smallest run that fails in the same way."""
        clock = self._allowance.clock
        return minimised(self._simulation, failing, Allowance(clock, clock() + _MINIMISING.total_seconds()))

    def _boring(self) -> Iterator[Failing]:
        """Run undisturbed, twice in each order: first come, first served is another way to be boring."""
        for order in ("run to block", "first come"):
            self._order = order
            run = self._run(Canonical(), "retry", self._allowance)
            yield from self._failing(run, "retry")
            if order == "run to block":
                self._root = Seed({}, run.asked, run.remains, "retry", False)
                self._bind(run)
        self._order = "run to block"

    def _bind(self, boring: Run) -> None:
        """Let no run be many times as busy as the boring one: that is a livelock, and would take long to come to."""
        simulation = self._simulation
        bound = _BUSY + _BUSIER * boring.busiest
        self._worlds = {mode: simulation.among(simulation.clients, on_crash=mode, bound=bound) for mode in self._modes}
        self._simulation = self._worlds["retry"]

    def _enumerated(self, allowance: Allowance, *, few: int = _FEW) -> Iterator[Failing]:
        """Try all plans with one deviation, crashes first; then two; and more as long as there are few of them."""
        level, size, seen = [self._root], 1, set[tuple[str, int]]()
        while level:
            if size > self._deviations and sum(len(titles) - 1 for seed in level for _, titles in seed.tail) > few:
                return
            grown: list[Seed] = []
            for growth in larger(level, self._random):
                for mode in self._modes_of(growth):
                    if allowance.is_spent:
                        return
                    run = self._run(Planned(growth.plan), mode, allowance)
                    yield from self._failing(run, mode)
                    found = growth.seed.grown(growth, run, mode)
                    mark = self.coverage.last_outcome, hash((mode, tuple(each for each, _ in found.tail)))
                    if mark not in seen:  # a plan that comes to the same grows to the same
                        seen.add(mark)
                        grown.append(found)
                self.coverage.count_alike(growth.alike)
            self.coverage.deviations = size
            if size == 1:
                yield from self._again(allowance)
            level, size = grown, size + 1
        self.is_complete = True

    def _again(self, allowance: Allowance) -> Iterator[Failing]:
        """Let whatever may go wrong at a place go wrong there three times in a row: as often as few retries outlive."""
        offered = [Again(*each, times=_AGAIN) for each in self._offered]
        self._random.shuffle(offered)
        for chooser in in_turns(offered, key=lambda each: each.title):
            if allowance.is_spent:
                return
            run = self._run(chooser, "retry", allowance, drawn=True)
            yield from self._failing(run, "retry")

    @property
    def _offered(self) -> list[tuple[Place, Kind, Alternative]]:
        """Return what the boring run offers at each place."""
        places: dict[tuple[Place, Kind], Sequence[Alternative]]
        places = {(site[:3], site.kind): titles for site, titles in self._root.tail}
        return [(place, kind, title) for (place, kind), titles in places.items() for title in titles[1:]]

    def _repeated(self, times: int) -> Again:
        """Draw what goes wrong again and again: the kind of trouble first, then where."""
        offered = self._offered
        title = self._random.choice(sorted({title for *_, title in offered}))
        return Again(*self._random.choice([each for each in offered if each[2] == title]), times=times)

    def _modes_of(self, growth: Growth) -> tuple[OnCrash, ...]:
        """Say what clients may do about a crash.

        The first is tried with those who begin again and with those who give up, for each hides what the other shows;
        who has crashed once takes the next one alike, and where nobody was inside there is nothing to choose.
        """
        if growth.is_crash and growth.may_meet_clients and not growth.seed.has_crashed:
            return self._modes
        return (growth.seed.mode,)

    def _drawn(self) -> Iterator[Failing]:
        """Draw plans until the allowance is spent, in turns: sparse, by priorities of fibers, and what comes again."""
        length, random = len(self._root.tail), self._random
        for number in count():
            if self._allowance.is_spent:
                return
            mode = self._modes[number // 3 % len(self._modes)]
            chooser: Chooser
            if number % 3 == 0:
                chooser = sparse(random, length=length, most=_MOST_DEVIATIONS).chooser()
            elif number % 3 == 1:
                chooser = by_priority(random, length=length, depth=_DEPTH).chooser()
            else:
                once = sparse(random, length=length, most=_DEPTH)
                chooser = Together(self._repeated(random.randint(2, _MOST_DEVIATIONS)), once.chooser())
            run = self._run(chooser, mode, self._allowance, drawn=True)
            yield from self._failing(run, mode)

    def _run(self, chooser: Chooser, mode: OnCrash, allowance: Allowance, *, drawn: bool = False) -> Run:
        allowance.spend()
        self.tried += 1
        run = self._worlds[mode].run(chooser, order=self._order)
        self.coverage.add(run, drawn=drawn)
        if self._is_to_confirm(run):
            self._worlds[mode].confirm(run)
        return run

    def _is_to_confirm(self, run: Run) -> bool:
        """Tell whether to run it twice: it is boring, it fails, it came to something new, or its number is up."""
        operations = {site.operation for site, _ in run.asked}
        is_new = not operations <= self._operations
        self._operations |= operations
        return is_new or not run.plan or run.failure is not None or not self.tried % _EVERY

    def _failing(self, run: Run, mode: OnCrash) -> Iterator[Failing]:
        if run.failure is not None:
            yield Failing(
                simulation=self._worlds[mode],
                run=run,
                on_crash=mode,
                order=self._order,
                selection=everything(self._simulation),
                least=len(run.plan) <= self.coverage.deviations + 1,
            )
