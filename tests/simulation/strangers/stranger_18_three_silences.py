"""Three times no answer, so it failed: but one of the three was heard."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, Succeeded, attempt, do
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, Stranger, app_of, desk_of, facts_of


@frozen
class Book:
    """Book a flight."""

    flight: str


@frozen
class GiveUp:
    """Tell the traveller that there is no flight."""

    flight: str


def _world(planted: bool) -> Simulation:
    airline = Provider()
    agency = desk_of("agency")

    @agency.command(access="public")
    def book(cmd: Book) -> Doing[None, NoAnswer]:
        rt = yield from agency.runtime
        yield from rt.provider.ask(cmd.flight, key=cmd.flight)
        yield from rt.facts.put("booked", cmd.flight, 1)

    @agency.command(access="public")
    def give_up(cmd: GiveUp) -> Doing[None]:
        rt = yield from agency.runtime
        yield from rt.facts.put("refused" if planted else "unclear", cmd.flight, 1)

    @do
    def travel(flight: str) -> Program[None, NoAnswer | Refused]:
        for _ in range(3):
            if isinstance((yield from attempt(book(Book(flight)))), Succeeded):
                return
        yield from give_up(GiveUp(flight))

    def nobody_is_refused_a_flight_that_is_booked(view: View) -> bool:
        return not set(airline.done) & set(facts_of(view, "agency", "refused"))

    return Simulation(
        app_of(agency, provider=airline),
        [Client("ann", [travel("LH1")]), Client("bob", [travel("LH2")])],
        parties=[airline],
        faults=Faults(
            crashes=True, fails=(Fails(Provider.ask, NoAnswer()), Fails(Provider.ask, NoAnswer(), applied=True))
        ),
        at_end=[nobody_is_refused_a_flight_that_is_booked],
    )


STRANGER = Stranger(
    title="three times no answer is not a no",
    needs="three lost answers, one of them of a call that was heard",
    deviations=3,
    world=_world,
)
