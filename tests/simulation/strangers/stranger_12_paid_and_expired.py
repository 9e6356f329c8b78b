"""A seat that is paid for and given away: the reservation ends while the money is being taken."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do, guard
from effect_runtime.dispatch import send_later, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of

FREE, HELD, PAYING, SOLD = 0, 1, 2, 3


@frozen
class Reserve:
    """Hold a seat for half a minute."""

    seat: str


@frozen
@stored("strangers-12.expire")
class Expire:
    """Give a seat back that nobody pays for."""

    seat: str


@frozen
class TakeMoney:
    """Take the money for a seat that is held."""

    seat: str


@frozen
class Confirm:
    """Hand the seat over."""

    seat: str


@frozen
class Gone:
    """The seat is not held any more."""


def whoever_has_paid_has_a_seat(view: View) -> bool:
    """No seat that money was taken for is free again."""
    seats = facts_of(view, "hall", "seat")
    return all(seats[seat] != FREE for seat in facts_of(view, "hall", "money"))


def _world(planted: bool) -> Simulation:
    hall = desk_of("hall")

    @hall.command(access="public")
    def reserve(cmd: Reserve) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.facts.put("seat", cmd.seat, HELD)
        yield from send_later(Expire(cmd.seat), due=timedelta(seconds=30))

    @hall.command(access="internal")
    def expire(cmd: Expire) -> Doing[None]:
        rt = yield from hall.runtime
        if (yield from rt.facts.get("seat", cmd.seat)) == HELD:
            yield from rt.facts.put("seat", cmd.seat, FREE)

    @hall.command(access="public")
    def take_money(cmd: TakeMoney) -> Doing[None, Gone]:
        rt = yield from hall.runtime
        yield from guard((yield from rt.facts.get("seat", cmd.seat)) in (HELD, PAYING), Gone())
        if not planted:
            yield from rt.facts.put("seat", cmd.seat, PAYING)
        yield from rt.facts.put("money", cmd.seat, 1)

    @hall.command(access="public")
    def confirm(cmd: Confirm) -> Doing[None, Gone]:
        rt = yield from hall.runtime
        yield from guard((yield from rt.facts.get("seat", cmd.seat)) in (HELD, PAYING, SOLD), Gone())
        yield from rt.facts.put("seat", cmd.seat, SOLD)

    @do
    def buy(seat: str) -> Program[None, Gone | Refused]:
        yield from reserve(Reserve(seat))
        yield from take_money(TakeMoney(seat))
        yield from confirm(Confirm(seat))

    return Simulation(
        app_of(hall),
        [Client("ann", [buy("a1")])],
        faults=Faults(slow=(timedelta(seconds=1), timedelta(minutes=1))),
        at_end=[whoever_has_paid_has_a_seat],
    )


STRANGER = Stranger(
    title="paid for and given away",
    needs="something slow while a due command comes due",
    deviations=1,
    world=_world,
)
