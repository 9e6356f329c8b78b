"""Given up after two attempts and half a minute: who has charged by then is told that it failed."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, Stranger, app_of, desk_of, facts_of

PAID, FAILED = 1, 2


@frozen
class Begin:
    """Count an attempt; True if it is one too many, and the first was long ago."""

    order: str


@frozen
class Charge:
    """Let the money be taken."""

    order: str


@frozen
class End:
    """Write down how it ended."""

    order: str
    state: int


def _world(planted: bool) -> Simulation:
    bank = Provider()
    till = desk_of("till")

    @till.command(access="public")
    def begin(cmd: Begin) -> Doing[bool]:
        rt = yield from till.runtime
        now = int((yield from rt.clock.now()).timestamp())
        first = (yield from rt.facts.get("first", cmd.order)) or now
        yield from rt.facts.put("first", cmd.order, first)
        return (yield from rt.facts.add("attempts", cmd.order, 1)) > 2 and now - first > 30

    @till.command(access="public")
    def charge(cmd: Charge) -> Doing[None, NoAnswer]:
        rt = yield from till.runtime
        yield from rt.provider.ask(f"charge {cmd.order}", key=cmd.order)

    @till.command(access="public")
    def end(cmd: End) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.facts.put("order", cmd.order, cmd.state)

    @do
    def pay(order: str) -> Program[None, NoAnswer | Refused]:
        if (yield from begin(Begin(order))) and planted:
            yield from end(End(order, FAILED))
            return
        yield from charge(Charge(order))
        yield from end(End(order, PAID))

    def whoever_is_charged_is_not_told_that_it_failed(view: View) -> bool:
        states = facts_of(view, "till", "order")
        return all(states.get(what.removeprefix("charge ")) != FAILED for what in bank.done)

    return Simulation(
        app_of(till, provider=bank),
        [Client("ann", [pay("o1")])],
        parties=[bank],
        faults=Faults(crashes=True, slow=(timedelta(minutes=1),)),
        at_end=[whoever_is_charged_is_not_told_that_it_failed],
    )


STRANGER = Stranger(
    title="two attempts and half a minute",
    needs="two crashes, one of them after the charge, and something slow",
    deviations=3,
    world=_world,
)
