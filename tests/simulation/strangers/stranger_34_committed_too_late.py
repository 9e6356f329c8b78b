"""Timed out while it was committed: the guest is told that there is no table, and has one."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, Succeeded, attempt, do
from effect_runtime.effect import timeout
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Reserve:
    """Reserve a table."""

    guest: str


@frozen
class Refuse:
    """Write down that a guest was told that there is no table."""

    guest: str


def nobody_is_refused_who_has_a_table(view: View) -> bool:
    """Whoever has a table knows it."""
    return not set(facts_of(view, "hall", "refused")) & set(facts_of(view, "hall", "table"))


def _world(planted: bool) -> Simulation:
    hall = desk_of("hall")

    @hall.command(access="public")
    def reserve(cmd: Reserve) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.facts.put("table", cmd.guest, 1)

    @hall.command(access="public")
    def refuse(cmd: Refuse) -> Doing[None]:
        rt = yield from hall.runtime
        if planted or not (yield from rt.facts.get("table", cmd.guest)):
            yield from rt.facts.put("refused", cmd.guest, 1)

    @do
    def dine(guest: str) -> Program[None, Refused]:
        reserved = yield from attempt(timeout(reserve(Reserve(guest)), timedelta(seconds=5)))
        if not isinstance(reserved, Succeeded):
            yield from refuse(Refuse(guest))

    return Simulation(
        app_of(hall),
        [Client("ann", [dine("ann")])],
        faults=Faults(slow=(timedelta(seconds=1), timedelta(seconds=20))),
        at_end=[nobody_is_refused_who_has_a_table],
    )


STRANGER = Stranger(
    title="timed out while it was committed",
    needs="a slow commit",
    deviations=1,
    world=_world,
    unseen="what is slow is slow before it takes effect, never with its answer",
)
