"""The answer is too late, the work is not: the provider has done what the till calls off."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Succeeded, attempt
from effect_runtime.effect import timeout
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Provider, Stranger, app_of, desk_of, facts_of


@frozen
class Pay:
    """Pay an order; True if it is paid."""

    order: str


def _world(planted: bool) -> Simulation:
    bank = Provider()
    till = desk_of("till")

    @till.command(access="public")
    def pay(cmd: Pay) -> Doing[bool]:
        rt = yield from till.runtime
        answer = yield from attempt(timeout(rt.provider.ask(cmd.order, key=cmd.order), timedelta(seconds=5)))
        is_paid = isinstance(answer, Succeeded)
        yield from rt.facts.put("paid" if is_paid else "called off" if planted else "unclear", cmd.order, 1)
        return is_paid

    def nothing_is_called_off_that_was_charged(view: View) -> bool:
        return not set(bank.done) & set(facts_of(view, "till", "called off"))

    return Simulation(
        app_of(till, provider=bank),
        [Client("ann", [pay(Pay("o1"))]), Client("bob", [pay(Pay("o2"))])],
        parties=[bank],
        faults=Faults(answers=(timedelta(seconds=20),)),
        at_end=[nothing_is_called_off_that_was_charged],
    )


STRANGER = Stranger(
    title="an answer too late for work that is done",
    needs="a call that takes effect at once and answers late",
    deviations=1,
    world=_world,
)
