"""At once, in one unit: two branches read the same number, and the second one writes over the first."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import do, gather
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Deliver:
    """Put what comes onto the shelf: apples and pears, which are counted together."""

    apples: int
    pears: int


def the_shelf_holds_what_came(view: View) -> bool:
    """Five came."""
    return facts_of(view, "shop", "fruit").get("all", 5) == 5


def _world(planted: bool) -> Simulation:
    shop = desk_of("shop")

    @do
    def put(kind: str, number: int) -> Doing[None]:
        rt = yield from shop.runtime
        before = yield from rt.facts.get("fruit", "all")
        yield from rt.facts.put("fruit", "all", before + number)
        yield from rt.facts.put("crate", kind, number)

    @shop.command(access="public")
    def deliver(cmd: Deliver) -> Doing[None]:
        if planted:
            yield from gather(put("apples", cmd.apples), put("pears", cmd.pears))
        else:
            yield from put("apples", cmd.apples)
            yield from put("pears", cmd.pears)

    return Simulation(
        app_of(shop),
        [Client("ann", [deliver(Deliver(2, 3))])],
        faults=Faults(crashes=True),
        always=[the_shelf_holds_what_came],
    )


STRANGER = Stranger(
    title="at once, in one unit",
    needs="the second branch between the reading and the writing of the first",
    deviations=1,
    world=_world,
)
