"""A key that is no key: each attempt draws a new one, so the provider takes the second attempt for another payment."""

from __future__ import annotations

from attrs import frozen

from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Provider, Stranger, app_of, desk_of


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
        key = str((yield from rt.ids.uuid())) if planted else rt.key
        yield from rt.provider.ask(f"charge {cmd.order}", key=key)
        yield from rt.facts.put("paid", cmd.order, 1)

    def no_order_is_charged_twice(view: View) -> bool:
        return len(bank.done) == len(set(bank.done))

    return Simulation(
        app_of(till, provider=bank),
        [Client("ann", [pay(Pay("o1"))]), Client("bob", [pay(Pay("o2"))])],
        parties=[bank],
        faults=Faults(crashes=True, fails=(Fails(Provider.ask, NoAnswer()),)),
        at_end=[no_order_is_charged_twice],
    )


STRANGER = Stranger(
    title="a new idempotency key for each attempt",
    needs="a crash after the call, and a client who asks again",
    deviations=1,
    world=_world,
)
