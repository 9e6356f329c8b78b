"""An expired coupon is redeemed: it was valid when it was looked at, and the till is slow."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do, guard
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import (
    OPENING,
    Doing,
    Looking,
    Program,
    Stranger,
    app_of,
    desk_of,
    facts_of,
)

ENDS = int(OPENING.timestamp()) + 30


@frozen
class Expired:
    """The coupon is not valid any more."""


@frozen
class IsValid:
    """Ask whether a coupon may be used."""

    code: str


@frozen
class Redeem:
    """Use a coupon."""

    code: str


def no_coupon_is_redeemed_after_its_end(view: View) -> bool:
    """Whatever was redeemed, was redeemed in time."""
    return all(at <= ENDS for at in facts_of(view, "shop", "redeemed").values())


def _world(planted: bool) -> Simulation:
    shop = desk_of("shop")

    @shop.query(access="public")
    def is_valid(ask: IsValid) -> Looking[bool]:
        rt = yield from shop.reads
        return (yield from rt.clock.now()).timestamp() <= ENDS

    @shop.command(access="public")
    def redeem(cmd: Redeem) -> Doing[None, Expired]:
        rt = yield from shop.runtime
        now = int((yield from rt.clock.now()).timestamp())
        yield from guard(planted or now <= ENDS, Expired())
        yield from rt.facts.put("redeemed", cmd.code, now)

    @do
    def pay(code: str) -> Program[None, Expired | Refused]:
        yield from guard((yield from is_valid(IsValid(code))), Expired())
        yield from redeem(Redeem(code))

    return Simulation(
        app_of(shop),
        [Client("ann", [pay("ten-off")]), Client("bob", [pay("five-off")], after=timedelta(seconds=40))],
        faults=Faults(crashes=True, slow=(timedelta(seconds=1), timedelta(minutes=1))),
        start=OPENING,
        always=[no_coupon_is_redeemed_after_its_end],
    )


STRANGER = Stranger(
    title="an expired coupon is redeemed",
    needs="something slow between the look and the use",
    deviations=1,
    world=_world,
)
