"""Shielded in halves: each step bears a cancellation, and between the two the money is nobody's."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.effect import uninterruptible
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Take:
    """Take money from an account."""

    account: str


@frozen
class Give:
    """Put money onto an account."""

    account: str


@frozen
class Exists:
    """Ask whether there is an account."""

    account: str


def the_money_is_there(view: View) -> bool:
    """What was taken was given."""
    return sum(facts_of(view, "bank", "balance").values()) == 0


def _world(planted: bool) -> Simulation:
    bank = desk_of("bank")

    @bank.command(access="public")
    def take(cmd: Take) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", cmd.account, -1)

    @bank.command(access="public")
    def give(cmd: Give) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", cmd.account, 1)

    @bank.query(access="public")
    def exists(ask: Exists) -> Looking[bool]:
        rt = yield from bank.reads
        return ask.account in (yield from rt.facts.all("balance"))

    @do
    def both() -> Program[None, Refused]:
        yield from take(Take("a"))
        yield from exists(Exists("b"))
        yield from give(Give("b"))

    @do
    def move() -> Program[None, Refused]:
        if planted:
            yield from uninterruptible(take(Take("a")))
            yield from exists(Exists("b"))
            yield from uninterruptible(give(Give("b")))
        else:
            yield from uninterruptible(both())

    return Simulation(
        app_of(bank),
        [Client("ann", [move()])],
        faults=Faults(cancels=True),
        at_end=[the_money_is_there],
    )


STRANGER = Stranger(
    title="shielded in halves",
    needs="a cancellation between two shields",
    deviations=1,
    world=_world,
)
