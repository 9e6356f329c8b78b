"""A consumer that stops at what it cannot read: everything behind it waits for ever."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import App, Principal, Topic, integration_event, publish
from effect_runtime.errors import EffectRuntimeError
from effect_runtime.integration import decode_message
from effect_runtime.testing import Client, Delivery, Faults, Hears, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class ShopEvents(Topic, name="strangers-40.shop"):
    """What the shop tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-40.sold", key="item")
class Sold(ShopEvents):
    """Something was sold."""

    item: str


@frozen
class Sell:
    """Sell something."""

    item: str


@frozen
class Count:
    """Count a sale."""

    item: str


def every_sale_is_counted(view: View) -> bool:
    """What was sold is counted."""
    return set(facts_of(view, "office", "counted")) == set(facts_of(view, "shop", "sold"))


def _world(planted: bool) -> Simulation:
    shop, office = desk_of("shop", publishes=[ShopEvents]), desk_of("office")

    @shop.command(access="public")
    def sell(cmd: Sell) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("sold", cmd.item, 1)
        yield from publish(Sold(cmd.item))

    @office.command(access="internal")
    def count(cmd: Count) -> Doing[None]:
        rt = yield from office.runtime
        yield from rt.facts.put("counted", cmd.item, 1)

    async def receive(app: App, delivery: Delivery) -> None:
        try:
            envelope = decode_message(delivery.message)
        except EffectRuntimeError:
            if planted:
                raise
            await delivery.ack()
            return
        if envelope.type == "strangers-40.sold":
            await app.run(count(Count(envelope.key or "")), principal=Principal.system("office"))
        await delivery.ack()

    return Simulation(
        app_of(shop, office),
        [Client("ann", [sell(Sell("lamp")), sell(Sell("chair"))])],
        hears=[Hears("office", ShopEvents, "office.by-hand", receive)],
        faults=Faults(crashes=True, messages=True, poison=True),
        eventually=[every_sale_is_counted],
    )


STRANGER = Stranger(
    title="a consumer that stops at what it cannot read",
    needs="a message that nobody can read",
    deviations=1,
    world=_world,
)
