"""No verdict, and nobody looks: the first of two steps is done, and its program ends there."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Take:
    """Take money off an account."""

    account: str


@frozen
class Give:
    """Put money onto an account."""

    account: str


@frozen
class Move:
    """Move money from one account to another."""

    source: str
    target: str


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

    @bank.command(access="public")
    def move(cmd: Move) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", cmd.source, -1)
        yield from rt.facts.add("balance", cmd.target, 1)

    @do
    def in_two_steps() -> Program[None, Refused]:
        yield from take(Take("a"))
        yield from give(Give("b"))

    return Simulation(
        app_of(bank),
        [Client("ann", [in_two_steps() if planted else move(Move("a", "b"))])],
        faults=Faults(verdicts=True),
        at_end=[the_money_is_there],
    )


STRANGER = Stranger(
    title="no verdict is not a no",
    needs="a commit whose verdict is lost",
    deviations=1,
    world=_world,
)
