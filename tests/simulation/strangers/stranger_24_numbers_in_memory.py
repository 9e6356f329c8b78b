"""Ticket numbers in memory: the process counts on from what it has seen, and two visitors see the same."""

from __future__ import annotations

from attrs import frozen

from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Print:
    """Print a ticket."""

    guest: str


def no_number_is_printed_twice(view: View) -> bool:
    """Each ticket has a number of its own."""
    numbers = list(facts_of(view, "desk", "ticket").values())
    return len(numbers) == len(set(numbers))


def _world(planted: bool) -> Simulation:
    desk = desk_of("desk")

    @desk.command(access="public")
    def print_ticket(cmd: Print) -> Doing[None]:
        rt = yield from desk.runtime
        known = (yield from rt.memory.recall("last")) if planted else None
        last = max((yield from rt.facts.all("ticket")).values(), default=0) if known is None else known
        yield from rt.facts.put("ticket", cmd.guest, last + 1)
        yield from rt.memory.keep("last", last + 1)

    return Simulation(
        app_of(desk),
        [Client(name, [print_ticket(Print(name))]) for name in ("ann", "bob", "eve")],
        processes={"desk-1": ["desk"], "desk-2": ["desk"]},
        faults=Faults(crashes=True),
        always=[no_number_is_printed_twice],
    )


STRANGER = Stranger(
    title="numbers in memory",
    needs="a second visitor while the first one's number is not remembered yet, after a number is known",
    deviations=1,
    world=_world,
)
