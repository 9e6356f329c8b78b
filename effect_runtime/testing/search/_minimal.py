"""Make a failing run small: fewer messages first, then fewer deviations, and always the same failure.

Everything smaller is tried, rather than guessed: each selection of the programs, the smallest first, each with no and
with one deviation. Only what needs more deviations than that is whittled down from what was found.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations, islice

from attrs import evolve, frozen

from effect_runtime.testing.loop._sequencer import Order
from effect_runtime.testing.loop._site import Canonical, Plan, Planned
from effect_runtime.testing.search._allowance import Allowance
from effect_runtime.testing.search._growing import Seed
from effect_runtime.testing.world._process import OnCrash
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._simulation import Simulation

_SELECTIONS = 64
"""How many selections of the programs are tried before what is left is whittled down."""

Selection = Sequence[tuple[str, tuple[int, ...]]]
"""Whose programs, and which of them by their numbers, are begun."""


@frozen(kw_only=True)
class Failing:
    """A run that fails, and what it takes to repeat it: `selection` of the `among` programs that there are.

    `least`: everything with fewer deviations is sound; None: nobody has looked. `is_tight`: so is this run without any
    one of its deviations.
    """

    simulation: Simulation
    run: Run
    on_crash: OnCrash
    order: Order
    selection: Selection
    among: int = 0
    least: bool | None = False
    is_tight: bool = False

    @property
    def is_needed(self) -> bool:
        """Tell whether each of the deviations was left out once, and the failure with it."""
        return self.least or self.is_tight

    @property
    def size(self) -> tuple[int, int]:
        """Return what a smaller one has less of: deviations, then programs."""
        return len(self.run.plan), sum(len(numbers) for _, numbers in self.selection)


def selected(simulation: Simulation, selection: Selection, *, on_crash: OnCrash) -> Simulation:
    """Return the same world with some of its clients' programs only."""
    chosen = dict(selection)
    clients = [
        evolve(client, programs=[client.programs[number] for number in chosen[client.name]])
        for client in simulation.clients
        if chosen.get(client.name)
    ]
    return simulation.among(clients, on_crash=on_crash)


def everything(simulation: Simulation) -> Selection:
    """Return the selection of all programs."""
    return [(client.name, tuple(range(len(client.programs)))) for client in simulation.clients]


def minimised(whole: Simulation, found: Failing, allowance: Allowance) -> Failing:
    """Return the smallest run found that fails as `found` does; of `whole`, the world with all its clients.

    What does not fail again when it is repeated is not returned: then it is what was found.
    """
    found = evolve(found, among=_count(everything(whole)))
    smallest = _smallest(whole, found, allowance)
    again = smallest.simulation.run(Planned(smallest.run.plan), order=smallest.order)
    return smallest if again.failure == found.run.failure else found


def _smallest(whole: Simulation, found: Failing, allowance: Allowance) -> Failing:
    selections = _selections(whole)
    for selection in islice(selections, _SELECTIONS):
        if allowance.is_spent:
            break
        simulation = selected(whole, selection, on_crash=found.on_crash)
        shown = _with_at_most_one(evolve(found, simulation=simulation, selection=selection), found, allowance)
        if shown is not None:
            return shown
    all_tried = next(selections, None) is None and not allowance.is_spent
    return _whittled(whole, found, allowance, least=2 if all_tried else 1)


def _with_at_most_one(candidate: Failing, found: Failing, allowance: Allowance) -> Failing | None:
    """Try the boring run, then each plan of one deviation: those that were found first, and all the others.

    A race that was seen first come, first served is looked for from block to block: there one deviation shows it.
    """
    orders: tuple[Order, ...] = ("run to block",)
    for order in orders if found.order in orders else (*orders, found.order):
        in_order = evolve(candidate, order=order)
        boring = in_order.simulation.run(Canonical(), order=order)
        if boring.failure is not None and _is_another_world(found, order):
            return None
        if boring.failure == found.run.failure:
            return evolve(in_order, run=boring, least=True)
        for plan in _singles(found.run, boring) if found.run.plan or order != found.order else ():
            if allowance.is_spent:
                return None
            allowance.spend()
            run = in_order.simulation.run(Planned(plan), order=order)
            if run.failure == found.run.failure:
                return evolve(in_order, run=run, least=True)
    return None


def _is_another_world(found: Failing, order: Order) -> bool:
    """Tell whether a selection that fails by itself, in an order, is no smaller way to fail.

    The whole world passed, so this one lacks what it rests on: a message that has to come before the others.
    """
    return bool(found.run.plan) or order != found.order


def _singles(found: Run, boring: Run) -> Iterator[Plan]:
    """Yield the plans of one deviation: those of a found plan first, then all that a boring run offers.

    Of crashes that leave the same behind, only the first.
    """
    offered = {site: range(1, len(titles)) for site, titles in boring.asked}
    likely = [(site, index) for site, index in found.plan.items() if index in offered.get(site, ())]
    titles, seed = dict(boring.asked), Seed(boring.plan, boring.asked, boring.remains, "retry", False)
    met: set[Hashable] = set()
    others = [(site, index) for site, indices in offered.items() for index in indices]
    for site, index in dict.fromkeys((*likely, *others)):
        left = seed.left_by(site, titles[site][index])
        if left is None or (site.process, left) not in met:
            met.add((site.process, left))
            yield {site: index}


def _whittled(whole: Simulation, found: Failing, allowance: Allowance, *, least: int) -> Failing:
    """Take something away, as long as it still fails: a deviation, a program, or two deviations for another one.

    A plan of up to `least` deviations is known to be the smallest: whatever is smaller was tried.
    """
    smallest, is_smaller = evolve(found, least=found.least or len(found.run.plan) <= least), True
    while is_smaller and not allowance.is_spent:
        is_smaller = False
        for candidate in _smaller(whole, smallest, found, allowance):
            if allowance.is_spent:
                return smallest
            allowance.spend()
            run = candidate.simulation.run(Planned(candidate.run.plan), order=found.order)
            shown = evolve(candidate, run=run, least=len(run.plan) <= least)
            if run.failure == found.run.failure and shown.size < smallest.size:
                smallest, is_smaller = shown, True
                break
    return evolve(smallest, is_tight=not allowance.is_spent)


def _smaller(whole: Simulation, failing: Failing, found: Failing, allowance: Allowance) -> Iterator[Failing]:
    """Yield what might fail, too, and is smaller, the likeliest first."""
    yield from _fewer_deviations(failing)
    fewer = [each for each in _fewer_programs(whole, failing) if not _fails_by_itself(each, found, allowance)]
    yield from fewer
    if len(failing.run.plan) > 2:
        for kept in combinations(failing.run.plan.items(), len(failing.run.plan) - 2):
            yield from _with_another(failing, dict(kept))
    for candidate in fewer:
        for kept in combinations(failing.run.plan.items(), len(failing.run.plan) - 1):
            yield from _with_another(candidate, dict(kept))


def _fails_by_itself(candidate: Failing, found: Failing, allowance: Allowance) -> bool:
    if not _is_another_world(found, candidate.order):
        return False
    allowance.spend()
    return candidate.simulation.run(Canonical(), order="run to block").failure is not None


def _with_another(failing: Failing, kept: Plan) -> Iterator[Failing]:
    """Yield plans with some of the deviations, and one more wherever these lead."""
    run = failing.simulation.run(Planned(kept), order=failing.order)
    for plan in _singles(run, run):
        if not plan.keys() & kept.keys():
            yield evolve(failing, run=evolve(failing.run, plan={**kept, **plan}))


def _fewer_deviations(failing: Failing) -> Iterator[Failing]:
    for left_out in failing.run.plan:
        plan = {site: index for site, index in failing.run.plan.items() if site != left_out}
        yield evolve(failing, run=evolve(failing.run, plan=plan))


def _fewer_programs(whole: Simulation, failing: Failing) -> Iterator[Failing]:
    for name, numbers in failing.selection:
        for left_out in numbers:
            selection = [
                (other, tuple(number for number in kept if (other, number) != (name, left_out)))
                for other, kept in failing.selection
            ]
            if _count(selection):
                simulation = selected(whole, selection, on_crash=failing.on_crash)
                yield evolve(failing, simulation=simulation, selection=selection)


def _selections(simulation: Simulation) -> Iterator[Selection]:
    """Yield every selection of the programs, the smallest first."""
    programs = [(client.name, number) for client in simulation.clients for number in range(len(client.programs))]
    for size in range(1, len(programs) + 1):
        for chosen in combinations(programs, size):
            names = dict.fromkeys(name for name, _ in chosen)
            yield [(name, tuple(number for whose, number in chosen if whose == name)) for name in names]


def _count(selection: Selection) -> int:
    return sum(len(numbers) for _, numbers in selection)
