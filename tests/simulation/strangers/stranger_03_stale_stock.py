"""A counter in two contexts: the shop sells by its copy of the stock, which follows when the warehouse has heard."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, Topic, guard, integration_event, publish
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class ShopEvents(Topic, name="strangers-03.shop"):
    """What the shop tells."""

    __slots__ = ()


class StockEvents(Topic, name="strangers-03.stock"):
    """What the warehouse tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-03.sold", key="item")
class Sold(ShopEvents):
    """One piece was sold."""

    item: str


@frozen
@integration_event("strangers-03.picked", key="item")
class Picked(StockEvents):
    """One piece left the warehouse; so many are left."""

    item: str
    left: int


@frozen
class Buy:
    """Buy one piece."""

    item: str


@frozen
class Stock:
    """Say how many there are; in each context."""

    item: str


@frozen
class SoldOut:
    """There is none left."""


def nothing_is_sold_that_is_not_there(view: View) -> bool:
    """The warehouse never runs below nothing."""
    return all(left >= 0 for left in facts_of(view, "warehouse", "stock").values())


def _world(planted: bool) -> Simulation:
    shop, warehouse = desk_of("shop", publishes=[ShopEvents]), desk_of("warehouse", publishes=[StockEvents])

    @shop.command(access="public")
    def show(cmd: Stock) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("shown", cmd.item, 1)

    @warehouse.command(access="public")
    def fill(cmd: Stock) -> Doing[None]:
        rt = yield from warehouse.runtime
        yield from rt.facts.put("stock", cmd.item, 1)

    @shop.command(access="public")
    def buy(cmd: Buy) -> Doing[None, SoldOut]:
        rt = yield from shop.runtime
        yield from guard((yield from rt.facts.get("shown", cmd.item)) > 0, SoldOut())
        if not planted:
            yield from rt.facts.add("shown", cmd.item, -1)
        yield from publish(Sold(cmd.item))

    sales = warehouse.subscribe(ShopEvents, id="warehouse.sales", start="earliest")

    @sales.on(Sold)
    def pick(event: Sold) -> Doing[None, Refused]:
        rt = yield from warehouse.runtime
        left = yield from rt.facts.add("stock", event.item, -1)
        yield from publish(Picked(event.item, left))

    picks = shop.subscribe(StockEvents, id="shop.picks", start="earliest")

    @picks.on(Picked)
    def follow(event: Picked) -> Doing[None, Refused]:
        rt = yield from shop.runtime
        yield from rt.facts.put("shown", event.item, event.left)

    return Simulation(
        app_of(shop, warehouse),
        [Client("ann", [buy(Buy("lamp"))]), Client("bob", [buy(Buy("lamp"))], after=timedelta(seconds=5))],
        given=[show(Stock("lamp")), fill(Stock("lamp"))],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        always=[nothing_is_sold_that_is_not_there],
    )


STRANGER = Stranger(
    title="sold by a copy of the stock",
    needs="an event that comes late",
    deviations=1,
    world=_world,
)
