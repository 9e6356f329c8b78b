"""Timed out is not undone: the kitchen has the order, the guest orders again, and eats twice."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, Succeeded, attempt, do
from effect_runtime.effect import timeout
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, Stranger, app_of, desk_of


@frozen
class Order:
    """Order a meal; `attempt` tells the orders of one guest apart."""

    guest: str
    attempt: int


def _world(planted: bool) -> Simulation:
    kitchen = Provider()
    hall = desk_of("hall")

    @hall.command(access="public")
    def order(cmd: Order) -> Doing[None, NoAnswer]:
        rt = yield from hall.runtime
        yield from rt.provider.ask(cmd.guest, key=f"{cmd.guest}/{cmd.attempt}" if planted else cmd.guest)
        yield from rt.facts.put("meal", cmd.guest, 1)

    @do
    def eat(guest: str) -> Program[None, NoAnswer | Refused]:
        for number in range(2):
            if isinstance((yield from attempt(timeout(order(Order(guest, number)), timedelta(seconds=5)))), Succeeded):
                return

    def nobody_eats_twice(view: View) -> bool:
        return len(kitchen.done) == len(set(kitchen.done))

    return Simulation(
        app_of(hall, provider=kitchen),
        [Client("ann", [eat("ann")]), Client("bob", [eat("bob")])],
        parties=[kitchen],
        faults=Faults(slow=(timedelta(seconds=1), timedelta(minutes=1))),
        at_end=[nobody_eats_twice],
    )


STRANGER = Stranger(
    title="timed out is not undone",
    needs="an answer that comes after the patience",
    deviations=1,
    world=_world,
)
