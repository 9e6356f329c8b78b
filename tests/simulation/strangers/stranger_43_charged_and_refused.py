"""Charged and refused: the last seat went while the card was charged, and nobody gives the money back."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import DomainEvent, Refused, Succeeded, attempt, do, emit, guard
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import (
    Doing,
    Looking,
    NoAnswer,
    Program,
    Provider,
    Stranger,
    app_of,
    desk_of,
    facts_of,
)


@frozen
class Full:
    """There is no seat."""


@frozen
class SeatTakenOccurred(DomainEvent[Full]):
    """Somebody has a seat."""

    guest: str


@frozen
class AnyLeft:
    """Ask whether there is a seat."""


@frozen
class Charge:
    """Take the fare."""

    guest: str


@frozen
class Board:
    """Take a seat."""

    guest: str


@frozen
class Repay:
    """Note that a guest gets the fare back."""

    guest: str


def _world(planted: bool) -> Simulation:
    bank = Provider()
    bus = desk_of("bus")

    @bus.query(access="public")
    def any_left(ask: AnyLeft) -> Looking[bool]:
        rt = yield from bus.reads
        return not (yield from rt.facts.all("seat"))

    @bus.command(access="public")
    def charge(cmd: Charge) -> Doing[None, NoAnswer]:
        rt = yield from bus.runtime
        yield from rt.provider.ask(cmd.guest, key=cmd.guest)

    @bus.command(access="public")
    def board(cmd: Board) -> Doing[None, Full]:
        rt = yield from bus.runtime
        yield from rt.facts.put("seat", cmd.guest, 1)
        yield from emit(SeatTakenOccurred(cmd.guest))

    @bus.on(SeatTakenOccurred)
    def one_seat(event: SeatTakenOccurred) -> Doing[None, Full]:
        rt = yield from bus.runtime
        yield from guard(len((yield from rt.facts.all("seat"))) <= 1, Full())

    @bus.command(access="public")
    def repay(cmd: Repay) -> Doing[None]:
        rt = yield from bus.runtime
        yield from rt.facts.put("repaid", cmd.guest, 1)

    @do
    def ride(guest: str) -> Program[None, Full | NoAnswer | Refused]:
        if not (yield from any_left(AnyLeft())):
            return
        yield from charge(Charge(guest))
        boarded = yield from attempt(board(Board(guest)))
        if not planted and not isinstance(boarded, Succeeded):
            yield from repay(Repay(guest))

    def whoever_pays_rides_or_is_repaid(view: View) -> bool:
        return set(bank.done) <= set(facts_of(view, "bus", "seat")) | set(facts_of(view, "bus", "repaid"))

    return Simulation(
        app_of(bus, provider=bank),
        [Client("ann", [ride("ann")]), Client("bob", [ride("bob")], after=timedelta(seconds=1))],
        parties=[bank],
        faults=Faults(slow=(timedelta(seconds=2),)),
        at_end=[whoever_pays_rides_or_is_repaid],
    )


STRANGER = Stranger(
    title="charged and refused",
    needs="one guest slow, while the other looks",
    deviations=1,
    world=_world,
)
