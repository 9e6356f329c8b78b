"""A compensation that races with success: the answer comes after the order was given up, and is believed."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, Topic, integration_event, publish
from effect_runtime.dispatch import send_later, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of

OPEN, PAID, CANCELLED = 1, 2, 3


class ShopEvents(Topic, name="strangers-13.shop"):
    """What the shop tells."""

    __slots__ = ()


class BankEvents(Topic, name="strangers-13.bank"):
    """What the bank tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-13.ordered", key="order")
class Ordered(ShopEvents):
    """An order is to be paid."""

    order: str


@frozen
@integration_event("strangers-13.accepted", key="order")
class Accepted(BankEvents):
    """The money of an order was taken."""

    order: str


@frozen
class Order:
    """Order something and set it aside."""

    order: str


@frozen
@stored("strangers-13.give-up")
class GiveUp:
    """Put what nobody pays for back onto the shelf."""

    order: str


def a_paid_order_is_set_aside(view: View) -> bool:
    """Who has paid gets the goods."""
    aside = facts_of(view, "shop", "aside")
    return all(aside.get(order) for order, state in facts_of(view, "shop", "order").items() if state == PAID)


def _world(planted: bool) -> Simulation:
    shop, bank = desk_of("shop", publishes=[ShopEvents]), desk_of("bank", publishes=[BankEvents])

    @shop.command(access="public")
    def order(cmd: Order) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("order", cmd.order, OPEN)
        yield from rt.facts.put("aside", cmd.order, 1)
        yield from send_later(GiveUp(cmd.order), due=timedelta(seconds=30))
        yield from publish(Ordered(cmd.order))

    @shop.command(access="internal")
    def give_up(cmd: GiveUp) -> Doing[None]:
        rt = yield from shop.runtime
        if (yield from rt.facts.get("order", cmd.order)) == OPEN:
            yield from rt.facts.put("order", cmd.order, CANCELLED)
            yield from rt.facts.put("aside", cmd.order, 0)

    orders = bank.subscribe(ShopEvents, id="bank.orders", start="earliest")

    @orders.on(Ordered)
    def charge(event: Ordered) -> Doing[None, Refused]:
        yield from publish(Accepted(event.order))

    answers = shop.subscribe(BankEvents, id="shop.answers", start="earliest")

    @answers.on(Accepted)
    def paid(event: Accepted) -> Doing[None, Refused]:
        rt = yield from shop.runtime
        if planted or (yield from rt.facts.get("order", event.order)) == OPEN:
            yield from rt.facts.put("order", event.order, PAID)
        else:
            yield from rt.facts.put("refund", event.order, 1)

    return Simulation(
        app_of(shop, bank),
        [Client("ann", [order(Order("o1"))]), Client("bob", [order(Order("o2"))])],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        always=[a_paid_order_is_set_aside],
    )


STRANGER = Stranger(
    title="paid after it was given up",
    needs="an answer that is later than the patience",
    deviations=1,
    world=_world,
)
