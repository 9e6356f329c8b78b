"""A key that depends on the minute: whoever asks again in the next one is charged again."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, Succeeded, attempt, do
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, Stranger, app_of, desk_of


@frozen
class Pay:
    """Pay an order."""

    order: str


def _world(planted: bool) -> Simulation:
    bank = Provider()
    till = desk_of("till")

    @till.command(access="public")
    def pay(cmd: Pay) -> Doing[None, NoAnswer]:
        rt = yield from till.runtime
        minute = int((yield from rt.clock.now()).timestamp()) // 60
        yield from rt.provider.ask(f"charge {cmd.order}", key=f"{cmd.order}/{minute}" if planted else cmd.order)
        yield from rt.facts.put("paid", cmd.order, 1)

    @do
    def insist(order: str) -> Program[None, NoAnswer | Refused]:
        for _ in range(2):
            if isinstance((yield from attempt(pay(Pay(order)))), Succeeded):
                return

    def no_order_is_charged_twice(view: View) -> bool:
        return len(bank.done) == len(set(bank.done))

    return Simulation(
        app_of(till, provider=bank),
        [Client("ann", [insist("o1")]), Client("bob", [insist("o2")])],
        parties=[bank],
        faults=Faults(
            fails=(Fails(Provider.ask, NoAnswer(), applied=True),),
            slow=(timedelta(seconds=1), timedelta(minutes=1)),
        ),
        at_end=[no_order_is_charged_twice],
    )


STRANGER = Stranger(
    title="an idempotency key that depends on the minute",
    needs="an answer that is lost, and something slow before the next attempt",
    deviations=2,
    world=_world,
)
