"""What is reported is the smallest failure: compared with trying everything, in worlds where that is possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations
from random import Random

import pytest
from attrs import evolve, frozen

from effect_runtime import Succeeded, attempt, do
from effect_runtime.testing import Canonical, Client, Fails, Faults, Plan, Planned, Run, Simulation, Site, View
from effect_runtime.testing.loop._sequencer import Order
from effect_runtime.testing.search._allowance import Allowance
from effect_runtime.testing.search._deviating import Deviations, by_priority, sparse
from effect_runtime.testing.search._minimal import Failing, Selection, everything, minimised, selected
from effect_runtime.testing.world._process import OnCrash
from tests.simulation.corpus import bugs, twins
from tests.simulation.running import simulation_of
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, app_of, desk_of, facts_of

FEW: dict[int, Faults] = {
    1: Faults(slow=(timedelta(seconds=1),)),
    2: Faults(),
    3: Faults(crashes=True),
    10: Faults(crashes=True),
    16: Faults(cancels=True),
    18: Faults(),
}
"""Cases whose worlds are small with these faults: everything with one deviation can be tried in a moment."""


def _world(number: int) -> Simulation:
    return simulation_of(bugs()[number - 1], faults=FEW[number])


def _generous() -> Allowance:
    return Allowance(lambda: 0.0, 1.0)


def _failing(world: Simulation, drawn: Deviations, order: Order, mode: OnCrash) -> Failing | None:
    """Run by a drawn plan; return what a search would hand over if it fails."""
    within = world.among(world.clients, on_crash=mode)
    run = within.run(drawn.chooser(), order=order)
    if run.failure is None or not run.plan:
        return None
    return Failing(simulation=within, run=run, on_crash=mode, order=order, selection=everything(world))


def _drawn(world: Simulation, order: Order, mode: OnCrash, *, least: int = 1) -> Iterator[Failing]:
    """Yield failures with at least so many deviations, drawn half sparse and half by priorities."""
    random = Random(7)
    length = len(world.run(Canonical()).asked)
    for number in range(300):
        draw = sparse(random, length=length, most=6) if number % 2 else by_priority(random, length=length, depth=3)
        failing = _failing(world, draw, order, mode)
        if failing is not None and len(failing.run.plan) >= least:
            yield failing


def _selections(world: Simulation) -> Iterator[Selection]:
    programs = [(client.name, number) for client in world.clients for number in range(len(client.programs))]
    for size in range(1, len(programs) + 1):
        for chosen in combinations(programs, size):
            names = dict.fromkeys(name for name, _ in chosen)
            yield [(name, tuple(number for whose, number in chosen if whose == name)) for name in names]


def _runs(world: Simulation, order: Order) -> Iterator[Run]:
    """Yield the boring run and every run with one deviation, of a world whose boring run is sound."""
    boring = world.run(Canonical(), order=order)
    if boring.is_sound:
        yield boring
        for site, titles in boring.asked:
            for index in range(1, len(titles)):
                yield world.run(Planned({site: index}), order=order)


def _smallest(world: Simulation, failing: Failing) -> tuple[int, int]:
    """Return the size of the smallest run with at most one deviation that fails alike, by trying all of them."""
    sizes = [
        (len(run.plan), sum(len(numbers) for _, numbers in selection))
        for selection in _selections(world)
        for order in dict.fromkeys(("run to block", failing.order))
        for run in _runs(selected(world, selection, on_crash=failing.on_crash), order)
        if run.failure == failing.run.failure
    ]
    return min(sizes)


@pytest.mark.parametrize("mode", ["retry", "abandon"])
@pytest.mark.parametrize("order", ["run to block", "first come"])
@pytest.mark.parametrize("number", sorted(FEW))
def test_what_is_left_is_as_small_as_anything_that_fails_alike(number: int, order: Order, mode: OnCrash) -> None:
    """Whatever was drawn, in either order, with clients who begin again or give up."""
    world = _world(number)
    for _, failing in zip(range(3), _drawn(world, order, mode), strict=False):
        minimal = minimised(world, failing, _generous())
        assert minimal.run.failure == failing.run.failure
        assert minimal.size == _smallest(world, failing)
        assert minimal.least


@frozen
class Book:
    """Book a flight."""

    flight: str


@frozen
class GiveUp:
    """Tell a traveller that there is no flight."""

    flight: str


def _three_silences() -> Simulation:
    """Two travellers ask three times each; whoever is never answered is told that there is no flight."""
    airline = Provider()
    agency = desk_of("agency")

    @agency.command(access="public")
    def book(cmd: Book) -> Doing[None, NoAnswer]:
        rt = yield from agency.runtime
        yield from rt.provider.ask(cmd.flight, key=cmd.flight)
        yield from rt.facts.put("booked", cmd.flight, 1)

    @agency.command(access="public")
    def give_up(cmd: GiveUp) -> Doing[None]:
        rt = yield from agency.runtime
        yield from rt.facts.put("refused", cmd.flight, 1)

    @do
    def travel(flight: str) -> Program[None, object]:
        for _ in range(3):
            outcome = yield from attempt(book(Book(flight)))
            if isinstance(outcome, Succeeded):
                return
        yield from give_up(GiveUp(flight))

    def nobody_is_refused(view: View) -> bool:
        return not facts_of(view, "agency", "refused")

    return Simulation(
        app_of(agency, provider=airline),
        [Client("ann", [travel("LH1")]), Client("bob", [travel("LH2")])],
        parties=[airline],
        faults=Faults(fails=(Fails(Provider.ask, NoAnswer()),), slow=(timedelta(seconds=1),)),
        at_end=[nobody_is_refused],
    )


def test_what_needs_three_deviations_keeps_three_and_one_program() -> None:
    """Everything that came along by chance is gone, the other traveller, too."""
    world = _three_silences()
    silence = {
        site: titles.index("NoAnswer")
        for run in _without_answers(world, 3)
        for site, titles in run.asked
        if site in run.plan
    }
    boring = world.run(Canonical())
    noise = [{site: len(titles) - 1} for site, titles in boring.asked if site.kind in ("schedule", "time")]
    for extra in (noise[:2], noise[-2:]):
        plan = {**silence, **{site: index for each in extra for site, index in each.items()}}
        failing = _failing_by(world, plan)
        minimal = minimised(world, failing, _generous())
        assert minimal.size == (3, 1)
        assert (minimal.is_needed, minimal.among) == (True, 2)


def _without_answers(world: Simulation, times: int) -> Sequence[Run]:
    """Return the run in which ann is not answered so many times."""
    plan: dict[Site, int] = {}
    run = world.run(Canonical())
    for _ in range(times):
        site, titles = next(
            (site, titles)
            for site, titles in run.asked
            if site.fiber == "ann" and "NoAnswer" in titles and site not in plan
        )
        plan[site] = titles.index("NoAnswer")
        run = world.run(Planned(plan))
    return [run]


def _failing_by(world: Simulation, plan: Plan) -> Failing:
    run = world.run(Planned(plan))
    assert run.failure is not None
    return Failing(simulation=world, run=run, on_crash="retry", order="run to block", selection=everything(world))


def test_a_smaller_world_that_fails_by_itself_is_no_smaller_failure() -> None:
    """The claim rests on ann's program: without hers it fails undisturbed, which says nothing about what went wrong."""

    def ann_has_the_copy(view: View) -> bool:
        return bool(view.query("shop", "SELECT 1 FROM record WHERE kind = 'loan' AND key = 'ann'"))

    world = simulation_of(evolve(twins()[0], always=()), faults=FEW[1], claims=[ann_has_the_copy])
    found = [failing for _, failing in zip(range(3), _drawn(world, "run to block", "retry"), strict=False)]
    assert found
    for failing in found:
        minimal = minimised(world, failing, _generous())
        assert minimal.size == (1, 2)


def test_what_does_not_fail_again_is_reported_as_it_was_found() -> None:
    """A smaller run that fails once and not again is no counterexample; what was found is kept."""
    case, moods = bugs()[0], [True] * 4

    def holds_now_and_then(view: View) -> bool:
        return not moods or not moods.pop()  # asked twice in a run that fails

    world = simulation_of(evolve(case, always=()), faults=FEW[2], claims=[holds_now_and_then])
    run = world.run(Canonical())
    assert run.failure is not None
    found = Failing(simulation=world, run=run, on_crash="retry", order="run to block", selection=everything(world))
    assert minimised(world, found, _generous()).run is run
