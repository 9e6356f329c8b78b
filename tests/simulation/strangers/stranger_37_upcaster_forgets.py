"""An upcaster that forgets: what was promised before the upgrade is charged in full after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import frozen

from effect_runtime import App, Refused
from effect_runtime.dispatch import Command, send_later, stored, stored_upcaster
from effect_runtime.integration import Envelope, Payload
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Desk, Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Order:
    """Order something with a discount."""

    order: str
    price: int
    discount: int


@frozen
@stored("strangers-37.charge")
class ChargeOnce:
    """Charge an order: the first version."""

    order: str
    price: int
    discount: int


@frozen
@stored("strangers-37.charge", version=2)
class ChargeForgetting:
    """Charge an order: the second version, whose author has forgotten discounts."""

    order: str
    amount: int = 0


@stored_upcaster(ChargeForgetting, version=1)
def whole_price(payload: Payload, envelope: Envelope) -> Payload:
    """Take the price for the amount."""
    return {"order": payload["order"], "amount": payload["price"]}


@frozen
@stored("strangers-37.charge", version=2)
class Charge:
    """Charge an order: the second version."""

    order: str
    amount: int = 0


@stored_upcaster(Charge, version=1)
def price_less_discount(payload: Payload, envelope: Envelope) -> Payload:
    """Take what is left of the price for the amount."""
    return {"order": payload["order"], "amount": int(str(payload["price"])) - int(str(payload["discount"]))}


def every_discount_is_given(view: View) -> bool:
    """Ten, less three."""
    return all(amount == 7 for amount in facts_of(view, "shop", "charged").values())


def every_order_is_charged(view: View) -> bool:
    """Nothing is given away."""
    return set(facts_of(view, "shop", "charged")) == set(facts_of(view, "shop", "order"))


def _first() -> tuple[App, Command[Order, None, Any, Desk]]:
    shop = desk_of("shop")

    @shop.command(access="public")
    def order(cmd: Order) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("order", cmd.order, 1)
        yield from send_later(ChargeOnce(cmd.order, cmd.price, cmd.discount), due=timedelta(seconds=20))

    @shop.command(access="internal")
    def charge(cmd: ChargeOnce) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("charged", cmd.order, cmd.price - cmd.discount)

    return app_of(shop), order


def _second(planted: bool) -> App:
    shop = desk_of("shop")
    kind: Any = ChargeForgetting if planted else Charge

    @shop.command(access="public")
    def order(cmd: Order) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("order", cmd.order, 1)
        yield from send_later(kind(cmd.order, cmd.price - cmd.discount), due=timedelta(seconds=20))

    def charge(cmd: Any) -> Doing[None, Refused]:
        rt = yield from shop.runtime
        yield from rt.facts.put("charged", cmd.order, cmd.amount)

    charge.__annotations__["cmd"] = kind
    shop.command(access="internal")(charge)
    return app_of(shop)


def _world(planted: bool) -> Simulation:
    app, order = _first()
    return Simulation(
        app,
        [Client("ann", [order(Order("o1", 10, 3))]), Client("bob", [order(Order("o2", 10, 3))])],
        faults=Faults(crashes=True, upgrade=_second(planted)),
        always=[every_discount_is_given],
        eventually=[every_order_is_charged],
    )


STRANGER = Stranger(
    title="an upcaster that forgets",
    needs="an upgrade while something is still to be done",
    deviations=1,
    world=_world,
)
