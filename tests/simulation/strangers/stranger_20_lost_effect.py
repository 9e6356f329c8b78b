"""A forgotten `yield from` where nobody comes: a charge without an answer is never noted for the clerk."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Succeeded, attempt
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Provider, Stranger, app_of, desk_of, facts_of


@frozen
class Pay:
    """Pay an order; True when it is certain that it is paid."""

    order: str


def _world(planted: bool) -> Simulation:
    bank = Provider()
    till = desk_of("till")

    @till.command(access="public")
    def pay(cmd: Pay) -> Doing[bool]:
        rt = yield from till.runtime
        answer = yield from attempt(rt.provider.ask(cmd.order, key=cmd.order))
        if isinstance(answer, Succeeded):
            yield from rt.facts.put("paid", cmd.order, 1)
        elif planted:
            rt.facts.put("unclear", cmd.order, 1)
        else:
            yield from rt.facts.put("unclear", cmd.order, 1)
        return isinstance(answer, Succeeded)

    def every_charge_is_known(view: View) -> bool:
        known = {**facts_of(view, "till", "paid"), **facts_of(view, "till", "unclear")}
        return set(bank.done) <= set(known)

    return Simulation(
        app_of(till, provider=bank),
        [Client("ann", [pay(Pay("o1"))]), Client("bob", [pay(Pay("o2"))])],
        parties=[bank],
        faults=Faults(fails=(Fails(Provider.ask, NoAnswer(), applied=True),)),
        at_end=[every_charge_is_known],
    )


STRANGER = Stranger(
    title="a forgotten yield from on the way that is seldom taken",
    needs="an answer that is lost",
    deviations=1,
    world=_world,
)
