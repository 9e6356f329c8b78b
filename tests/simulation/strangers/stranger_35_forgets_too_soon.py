"""Remembered for three quarters of a minute: a copy that comes later than that is new."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import App, Principal, Topic, integration_event, publish
from effect_runtime.integration import decode_message
from effect_runtime.testing import Client, Delivery, Faults, Hears, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class ShopEvents(Topic, name="strangers-35.shop"):
    """What the shop tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-35.won", key="guest")
class Won(ShopEvents):
    """Somebody has won."""

    guest: str


@frozen
class Draw:
    """Let somebody win."""

    guest: str


@frozen
class Hand:
    """Hand a prize over, as a message says."""

    guest: str
    message: str


def nobody_gets_two_prizes(view: View) -> bool:
    """One prize for each winner."""
    return all(prizes <= 1 for prizes in facts_of(view, "desk", "prizes").values())


def _world(planted: bool) -> Simulation:
    shop, desk = desk_of("shop", publishes=[ShopEvents]), desk_of("desk")

    @shop.command(access="public")
    def draw(cmd: Draw) -> Doing[None]:
        yield from publish(Won(cmd.guest))

    @desk.command(access="internal")
    def hand(cmd: Hand) -> Doing[None]:
        rt = yield from desk.runtime
        now = int((yield from rt.clock.now()).timestamp())
        seen = yield from rt.facts.get("seen", cmd.message)
        if not seen or (planted and now - seen > 45):
            yield from rt.facts.put("seen", cmd.message, now)
            yield from rt.facts.add("prizes", cmd.guest, 1)

    async def receive(app: App, delivery: Delivery) -> None:
        envelope = decode_message(delivery.message)
        await app.run(hand(Hand(envelope.key or "", envelope.id)), principal=Principal.system("desk"))
        await delivery.ack()

    return Simulation(
        app_of(shop, desk),
        [Client("ann", [draw(Draw("ann"))])],
        hears=[Hears("desk", ShopEvents, "desk.by-hand", receive)],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        always=[nobody_gets_two_prizes],
    )


STRANGER = Stranger(
    title="forgotten too soon",
    needs="a message twice, and the second copy a minute later",
    deviations=2,
    world=_world,
)
