"""An editor that slept: its process stands still, its turn ends, and it prints yesterday's page over today's."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class TakeTurn:
    """Take the press for half a minute; 0 if somebody has it."""


@frozen
class Print:
    """Print a page, in a turn."""

    page: int
    turn: int


def the_newest_page_hangs_out(view: View) -> bool:
    """What hangs out is of the last turn."""
    hanging = facts_of(view, "press", "hangs out").get("turn", 0)
    return hanging == max([0, *facts_of(view, "press", "printed").values()])


def _world(planted: bool) -> Simulation:
    press = desk_of("press")

    @press.command(access="public")
    def take_turn(cmd: TakeTurn) -> Doing[int]:
        rt = yield from press.runtime
        now = int((yield from rt.clock.now()).timestamp())
        if (yield from rt.facts.get("lease", "until")) > now:
            return 0
        yield from rt.facts.put("lease", "until", now + 30)
        return (yield from rt.facts.add("lease", "turn", 1))

    @press.command(access="public")
    def print_page(cmd: Print) -> Doing[None]:
        rt = yield from press.runtime
        if planted or (yield from rt.facts.get("lease", "turn")) == cmd.turn:
            yield from rt.facts.put("printed", f"{cmd.turn}/{cmd.page}", cmd.turn)
            yield from rt.facts.put("hangs out", "turn", cmd.turn)

    @do
    def edit(page: int) -> Program[None, Refused]:
        turn = yield from take_turn(TakeTurn())
        if turn:
            yield from print_page(Print(page, turn))

    return Simulation(
        app_of(press),
        [
            Client("ann", [edit(1)], process="press-1"),
            Client("bob", [edit(2)], after=timedelta(seconds=40), process="press-2"),
        ],
        processes={"press-1": ["press"], "press-2": ["press"]},
        faults=Faults(crashes=True, pauses=(timedelta(minutes=1),)),
        at_end=[the_newest_page_hangs_out],
    )


STRANGER = Stranger(
    title="an editor that slept",
    needs="a process that stands still while its turn ends",
    deviations=1,
    world=_world,
)
