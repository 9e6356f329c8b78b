"""Compensation that is not idempotent: a second crash refunds what the first one had refunded already."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office

CHARGING, CHARGED, SHIPPED, REFUNDED = 1, 2, 3, 4


@frozen
class StateOf:
    """Ask where an order stands."""

    id: str


@frozen
class Mark:
    """Say where an order stands."""

    id: str
    state: int


@frozen
class Pay:
    """Move money."""

    what: str
    key: str | None


def _case(*, planted: bool) -> Case:
    bank = Listener()
    shop = office("shop")

    @shop.query(access="public")
    def state_of(ask: StateOf) -> Looking[int]:
        rt = yield from shop.reads
        return (yield from rt.records.get("order", ask.id))

    @shop.command(access="public")
    def mark(cmd: Mark) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.records.put("order", cmd.id, cmd.state)

    @shop.command(access="public")
    def pay(cmd: Pay) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.outside.tell(cmd.what, key=cmd.key)

    @do
    def fulfil(id: str) -> Program[None, Refused]:
        state = yield from state_of(StateOf(id))
        if state == CHARGED:  # we died while it was being shipped
            yield from pay(Pay("refund", None if planted else f"refund {id}"))
            yield from mark(Mark(id, REFUNDED))
        elif state < CHARGED:
            yield from mark(Mark(id, CHARGING))
            yield from pay(Pay("charge", f"charge {id}"))
            yield from mark(Mark(id, CHARGED))
            yield from mark(Mark(id, SHIPPED))

    def no_more_is_refunded_than_charged(view: View) -> bool:
        return bank.told.count("refund") <= bank.told.count("charge")

    return Case(
        number=15,
        title="compensation not idempotent",
        needs=frozenset({"crash"}),
        deviations=2,
        app=app_of(shop, outside=bank),
        clients=[Client("ann", [fulfil("o1")])],
        parties=[bank],
        at_end=[no_more_is_refunded_than_charged],
    )


def bug() -> Case:
    """Refund without a key."""
    return _case(planted=True)


def twin() -> Case:
    """Refund under the order's key."""
    return _case(planted=False)
