"""Arrival order across keys: an order that is heard before its customer keeps no address, for good."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Topic, guard, integration_event, publish
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class ShopEvents(Topic, name="strangers-07.shop"):
    """What the shop tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-07.registered", key="customer")
class Registered(ShopEvents):
    """A customer has an address."""

    customer: str
    address: int


@frozen
@integration_event("strangers-07.ordered", key="order")
class Ordered(ShopEvents):
    """A customer has ordered."""

    order: str
    customer: str


@frozen
class Register:
    """Register a customer."""

    customer: str
    address: int


@frozen
class Order:
    """Order something."""

    order: str
    customer: str


@frozen
class Unknown:
    """Nobody has registered under that name."""


def every_parcel_has_an_address(view: View) -> bool:
    """What was ordered can be delivered."""
    parcels = facts_of(view, "post", "parcel")
    return set(parcels) == set(facts_of(view, "shop", "order")) and all(parcels.values())


def _world(planted: bool) -> Simulation:
    shop, post = desk_of("shop", publishes=[ShopEvents]), desk_of("post")

    @shop.command(access="public")
    def register(cmd: Register) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("customer", cmd.customer, 1)
        yield from publish(Registered(cmd.customer, cmd.address))

    @shop.command(access="public")
    def order(cmd: Order) -> Doing[None, Unknown]:
        rt = yield from shop.runtime
        yield from guard((yield from rt.facts.get("customer", cmd.customer)) > 0, Unknown())
        yield from rt.facts.put("order", cmd.order, 1)
        yield from publish(Ordered(cmd.order, cmd.customer))

    news = post.subscribe(ShopEvents, id="post.shop", start="earliest")

    @news.on(Registered)
    def note(event: Registered) -> Doing[None]:
        rt = yield from post.runtime
        yield from rt.facts.put("address", event.customer, event.address)
        if not planted:
            for parcel in (yield from rt.facts.all(f"waits for {event.customer}")):
                yield from rt.facts.put("parcel", parcel, event.address)

    @news.on(Ordered)
    def pack(event: Ordered) -> Doing[None]:
        rt = yield from post.runtime
        yield from rt.facts.put("parcel", event.order, (yield from rt.facts.get("address", event.customer)))
        yield from rt.facts.put(f"waits for {event.customer}", event.order, 1)

    return Simulation(
        app_of(shop, post),
        [Client("ann", [register(Register("ann", 7)), order(Order("o1", "ann"))])],
        faults=Faults(crashes=True, messages=True),
        eventually=[every_parcel_has_an_address],
    )


STRANGER = Stranger(
    title="heard before what it refers to",
    needs="a message that overtakes one of another key",
    deviations=1,
    world=_world,
)
