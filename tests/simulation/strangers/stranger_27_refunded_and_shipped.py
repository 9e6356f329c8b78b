"""Refunded and shipped: whoever comes back after a crash refunds, while a clerk ships what he has seen as paid."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of

PAID, SHIPPED, REFUNDED = 1, 2, 3


@frozen
class StateOf:
    """Ask where an order stands."""

    order: str


@frozen
class Mark:
    """Say where an order stands, if it stands where it was seen."""

    order: str
    seen: int
    state: int


def nothing_is_refunded_and_shipped(view: View) -> bool:
    """Money back or goods, never both."""
    return not set(facts_of(view, "shop", "refunded")) & set(facts_of(view, "shop", "shipped"))


def _world(planted: bool) -> Simulation:
    shop = desk_of("shop")

    @shop.query(access="public")
    def state_of(ask: StateOf) -> Looking[int]:
        rt = yield from shop.reads
        return (yield from rt.facts.get("order", ask.order))

    @shop.command(access="public")
    def mark(cmd: Mark) -> Doing[None]:
        rt = yield from shop.runtime
        if planted or (yield from rt.facts.get("order", cmd.order)) == cmd.seen:
            yield from rt.facts.put("order", cmd.order, cmd.state)
            kind = {PAID: "paid", SHIPPED: "shipped", REFUNDED: "refunded"}[cmd.state]
            yield from rt.facts.put(kind, cmd.order, 1)

    @do
    def buy(order: str) -> Program[None, Refused]:
        state = yield from state_of(StateOf(order))
        if state == PAID:  # we have died since, and nobody knows whether it will be shipped
            yield from mark(Mark(order, PAID, REFUNDED))
        elif state < PAID:
            yield from mark(Mark(order, 0, PAID))
            yield from mark(Mark(order, PAID, SHIPPED))

    @do
    def tidy(order: str) -> Program[None, Refused]:
        if (yield from state_of(StateOf(order))) == PAID:
            yield from mark(Mark(order, PAID, SHIPPED))

    return Simulation(
        app_of(shop),
        [Client("ann", [buy("o1")]), Client("clerk", [tidy("o1")])],
        faults=Faults(crashes=True, slow=(timedelta(seconds=1),)),
        at_end=[nothing_is_refunded_and_shipped],
    )


STRANGER = Stranger(
    title="refunded and shipped",
    needs="a crash after the payment, and a clerk between the look and the refund",
    deviations=2,
    world=_world,
)
