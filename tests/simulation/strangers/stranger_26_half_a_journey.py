"""Two bookings at once: one is not answered, the journey is called off, and the other stays booked."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Succeeded, attempt, gather
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Provider, Stranger, app_of, desk_of, facts_of


@frozen
class Travel:
    """Book a flight and a hotel; True if both are booked."""

    name: str


def _world(planted: bool) -> Simulation:
    world = Provider()
    agency = desk_of("agency")

    @agency.command(access="public")
    def travel(cmd: Travel) -> Doing[bool]:
        rt = yield from agency.runtime
        booked = yield from gather(
            attempt(rt.provider.ask(f"flight {cmd.name}", key=f"flight {cmd.name}")),
            attempt(rt.provider.ask(f"hotel {cmd.name}", key=f"hotel {cmd.name}")),
        )
        both = all(isinstance(each, Succeeded) for each in booked)
        if not both and not planted:
            for what, each in zip(("flight", "hotel"), booked, strict=True):
                if isinstance(each, Succeeded):
                    yield from rt.facts.put("to cancel", f"{what} {cmd.name}", 1)
        yield from rt.facts.put("journey" if both else "called off", cmd.name, 1)
        return both

    def nothing_is_half_booked(view: View) -> bool:
        booked = set(world.done) - set(facts_of(view, "agency", "to cancel"))
        return all({f"flight {name}", f"hotel {name}"} <= booked for name in {what.split()[1] for what in booked})

    return Simulation(
        app_of(agency, provider=world),
        [Client("ann", [travel(Travel("ann"))]), Client("bob", [travel(Travel("bob"))])],
        parties=[world],
        faults=Faults(fails=(Fails(Provider.ask, NoAnswer()),)),
        at_end=[nothing_is_half_booked],
    )


STRANGER = Stranger(
    title="half a journey",
    needs="one of two calls at once without an answer",
    deviations=1,
    world=_world,
)
