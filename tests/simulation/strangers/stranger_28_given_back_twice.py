"""Given back twice: the guest cancels while the reservation ends, and one room becomes two."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.dispatch import send_later, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Reserve:
    """Hold a room for a minute."""

    guest: str


@frozen
@stored("strangers-28.expire")
class Expire:
    """Give the room of a guest back who did not come."""

    guest: str


@frozen
class IsHeld:
    """Ask whether a guest has a room."""

    guest: str


@frozen
class Cancel:
    """Give a room back."""

    guest: str


def there_is_one_room(view: View) -> bool:
    """The room is free or held."""
    return facts_of(view, "hotel", "free").get("room", 1) + len(facts_of(view, "hotel", "held")) == 1


def _world(planted: bool) -> Simulation:
    hotel = desk_of("hotel")

    @hotel.command(access="public")
    def reserve(cmd: Reserve) -> Doing[None]:
        rt = yield from hotel.runtime
        yield from rt.facts.put("free", "room", 0)
        yield from rt.facts.put("held", cmd.guest, 1)
        yield from send_later(Expire(cmd.guest), due=timedelta(minutes=1))

    @hotel.command(access="internal")
    def expire(cmd: Expire) -> Doing[None]:
        rt = yield from hotel.runtime
        if (yield from rt.facts.drop("held", cmd.guest)):
            yield from rt.facts.add("free", "room", 1)

    @hotel.query(access="public")
    def is_held(ask: IsHeld) -> Looking[bool]:
        rt = yield from hotel.reads
        return (yield from rt.facts.get("held", ask.guest)) > 0

    @hotel.command(access="public")
    def cancel(cmd: Cancel) -> Doing[None]:
        rt = yield from hotel.runtime
        if (yield from rt.facts.drop("held", cmd.guest)) or planted:
            yield from rt.facts.add("free", "room", 1)

    @do
    def leave(guest: str) -> Program[None, Refused]:
        if (yield from is_held(IsHeld(guest))):
            yield from cancel(Cancel(guest))

    return Simulation(
        app_of(hotel),
        [
            Client("ann", [reserve(Reserve("ann"))]),
            Client("ann's husband", [leave("ann")], after=timedelta(seconds=50)),
        ],
        faults=Faults(crashes=True, slow=(timedelta(seconds=15),)),
        always=[there_is_one_room],
    )


STRANGER = Stranger(
    title="given back twice",
    needs="something slow between the look and the cancellation, while a due command comes due",
    deviations=1,
    world=_world,
)
