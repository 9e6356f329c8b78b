"""Known before it is written: the process remembers a seat whose commit fails, and tells its guest so."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Succeeded
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
class Book:
    """Book a seat, or hear that one has it already."""

    guest: str


def whoever_was_told_yes_has_a_seat(view: View) -> bool:
    """An answer is a promise."""
    seats = facts_of(view, "hall", "seat")
    return all(
        guest in seats for guest, exits in view.exits.items() if any(isinstance(exit, Succeeded) for exit in exits)
    )


def _world(planted: bool) -> Simulation:
    hall = desk_of("hall")

    @hall.command(access="public")
    def book(cmd: Book) -> Doing[None]:
        rt = yield from hall.runtime
        if planted and (yield from rt.memory.recall(cmd.guest)) is not None:
            return
        yield from rt.memory.keep(cmd.guest, 1)
        yield from rt.facts.put("seat", cmd.guest, 1)

    return Simulation(
        app_of(hall),
        [Client(guest, [book(Book(guest)), book(Book(guest))]) for guest in ("ann", "bob")],
        faults=Faults(commits=True, verdicts=True),
        at_end=[whoever_was_told_yes_has_a_seat],
    )


STRANGER = Stranger(
    title="known before it is written",
    needs="a commit that fails, and a guest who asks again",
    deviations=1,
    world=_world,
)
