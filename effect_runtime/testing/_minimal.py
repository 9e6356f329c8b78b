"""Make a failing run small: fewer messages first, then fewer deviations, and always the same failure.

Everything smaller is tried, rather than guessed: each selection of the programs, the smallest first, each with no and
with one deviation. Only what needs more deviations than that is whittled down from what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from attrs import evolve, frozen

from effect_runtime.testing._allowance import Allowance
from effect_runtime.testing._process import OnCrash
from effect_runtime.testing._sequencer import Order
from effect_runtime.testing._simulation import Simulation
from effect_runtime.testing._site import Canonical, Plan, Planned
from effect_runtime.testing._world import Run

_SELECTIONS = 64
"""How many selections of the programs are tried before what is left is whittled down."""

Selection = Sequence[tuple[str, tuple[int, ...]]]
"""Whose programs, and which of them by their numbers, are begun."""


@frozen(kw_only=True)
class Failing:
    """A run that fails, and what it takes to repeat it. `least`: everything with fewer deviations is sound."""

    simulation: Simulation
    run: Run
    on_crash: OnCrash
    order: Order
    selection: Selection
    least: bool = False

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
    """Return the smallest run found that fails as `found` does; of `whole`, the world with all its clients."""
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


def _singles(found: Run, boring: Run) -> Iterator[Plan]:
    """Yield the plans of one deviation: those of a found plan first, then all that a boring run offers."""
    offered = {site: range(1, len(titles)) for site, titles in boring.asked}
    likely = [(site, index) for site, index in found.plan.items() if index in offered.get(site, ())]
    others = [(site, index) for site, indices in offered.items() for index in indices]
    for site, index in dict.fromkeys((*likely, *others)):
        yield {site: index}


def _whittled(whole: Simulation, found: Failing, allowance: Allowance, *, least: int) -> Failing:
    """Leave out one deviation after the other, then one program after the other, as long as it still fails.

    A plan of up to `least` deviations is known to be the smallest: whatever is smaller was tried.
    """
    smallest, is_smaller = evolve(found, least=found.least or len(found.run.plan) <= least), True
    while is_smaller and not allowance.is_spent:
        is_smaller = False
        for candidate in (*_fewer_deviations(smallest), *_fewer_programs(whole, smallest)):
            allowance.spend()
            plan = candidate.run.plan
            run = candidate.simulation.run(Planned(plan), order=found.order)
            shown = evolve(candidate, run=run, least=len(run.plan) <= least)
            if run.failure == found.run.failure and shown.size < smallest.size:
                smallest, is_smaller = shown, True
                break
    return smallest


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
