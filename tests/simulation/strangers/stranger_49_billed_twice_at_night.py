"""Billed twice at night: a due command charges without a key, when everybody has gone home."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused
from effect_runtime.dispatch import send_later, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Provider, Stranger, app_of, desk_of


@frozen
class Subscribe:
    """Subscribe; the bill comes later."""

    member: str


@frozen
@stored("strangers-49.bill")
class Bill:
    """Charge a member."""

    member: str


def _world(planted: bool) -> Simulation:
    bank = Provider()
    club = desk_of("club")

    @club.command(access="public")
    def subscribe(cmd: Subscribe) -> Doing[None]:
        yield from send_later(Bill(cmd.member), due=timedelta(seconds=30))

    @club.command(access="internal")
    def bill(cmd: Bill) -> Doing[None, NoAnswer | Refused]:
        rt = yield from club.runtime
        yield from rt.provider.ask(cmd.member, key=None if planted else rt.key)
        yield from rt.facts.put("billed", cmd.member, 1)

    def nobody_is_billed_twice(view: View) -> bool:
        return len(bank.done) == len(set(bank.done))

    return Simulation(
        app_of(club, provider=bank),
        [Client("ann", [subscribe(Subscribe("ann"))])],
        parties=[bank],
        faults=Faults(crashes=True),
        at_end=[nobody_is_billed_twice],
    )


STRANGER = Stranger(
    title="billed twice at night",
    needs="a crash after the call of a due command, when no client is there any more",
    deviations=1,
    world=_world,
)
