"""A welcome in a queue that forgets with its process: whoever registers before a crash never hears anything."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import DomainEvent, emit
from effect_runtime.dispatch import EventQueue, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
@stored("strangers-10.registered")
class RegisteredOccurred(DomainEvent):
    """Somebody has registered."""

    name: str


@frozen
class Register:
    """Register."""

    name: str


def everybody_is_welcomed(view: View) -> bool:
    """Each member has a welcome."""
    return set(facts_of(view, "club", "welcome")) == set(facts_of(view, "club", "member"))


def _world(planted: bool) -> Simulation:
    club = desk_of("club")
    mail = EventQueue("mail", durable=not planted)

    @club.command(access="public")
    def register(cmd: Register) -> Doing[None]:
        rt = yield from club.runtime
        yield from rt.facts.put("member", cmd.name, 1)
        yield from emit(RegisteredOccurred(cmd.name))

    @club.after_commit(RegisteredOccurred, queue=mail)
    def welcome(event: RegisteredOccurred) -> Doing[None]:
        rt = yield from club.runtime
        yield from rt.facts.put("welcome", event.name, 1)

    return Simulation(
        app_of(club),
        [Client("ann", [register(Register("ann"))]), Client("bob", [register(Register("bob"))])],
        faults=Faults(crashes=True),
        eventually=[everybody_is_welcomed],
    )


STRANGER = Stranger(
    title="a welcome that dies with its process",
    needs="a crash between the commit and the handler's commit",
    deviations=1,
    world=_world,
)
