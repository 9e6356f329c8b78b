"""Two locks in two orders: each clerk has what the other waits for."""

from __future__ import annotations

from attrs import frozen

from effect_runtime.testing import Client, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Swap:
    """Swap the contents of two drawers."""

    first: str
    second: str


def everybody_swaps(view: View) -> bool:
    """Whoever comes, is served."""
    return len(facts_of(view, "room", "swaps")) == 2


def _world(planted: bool) -> Simulation:
    room = desk_of("room")

    @room.command(access="public")
    def swap(cmd: Swap) -> Doing[None]:
        rt = yield from room.runtime
        drawers = (cmd.first, cmd.second) if planted else sorted((cmd.first, cmd.second))
        for drawer in drawers:
            yield from rt.memory.lock(drawer)
        yield from rt.facts.add("swaps", cmd.first, 1)
        for drawer in drawers:
            yield from rt.memory.unlock(drawer)

    return Simulation(
        app_of(room),
        [Client("ann", [swap(Swap("left", "right"))]), Client("bob", [swap(Swap("right", "left"))])],
        at_end=[everybody_swaps],
    )


STRANGER = Stranger(
    title="two locks in two orders",
    needs="the second clerk between the two locks of the first",
    deviations=1,
    world=_world,
)
