"""Counted in memory, and run again: a unit that meets a conflict counts its visitor twice."""

from __future__ import annotations

from attrs import frozen

from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Enter:
    """Let somebody in."""

    name: str


def as_many_are_counted_as_came(view: View) -> bool:
    """The number at the door is that of the visitors."""
    return facts_of(view, "hall", "count").get("all", 0) == len(facts_of(view, "hall", "visitor"))


def _world(planted: bool) -> Simulation:
    hall = desk_of("hall")

    @hall.command(access="public")
    def enter(cmd: Enter) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.facts.put("visitor", cmd.name, 1)
        if planted:
            count = ((yield from rt.memory.recall("count")) or 0) + 1
            yield from rt.memory.keep("count", count)
            yield from rt.facts.put("count", "all", count)
        else:
            yield from rt.facts.add("count", "all", 1)

    return Simulation(
        app_of(hall),
        [Client("ann", [enter(Enter("ann"))]), Client("bob", [enter(Enter("bob"))])],
        faults=Faults(conflicts=True),
        at_end=[as_many_are_counted_as_came],
    )


STRANGER = Stranger(
    title="counted in memory, and run again",
    needs="a conflict",
    deviations=1,
    world=_world,
)
