"""Invoice numbers with a gap: the number is drawn in one transaction, and used in the next."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from effect_runtime import Eff, Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Draw:
    """Draw the next number."""


@frozen
class Issue:
    """Issue an invoice; without a number it draws one itself."""

    customer: str
    number: int | None


def no_number_is_missing(view: View) -> bool:
    """An auditor finds every number up to the last that was drawn."""
    drawn = facts_of(view, "billing", "last").get("invoice", 0)
    return sorted(facts_of(view, "billing", "invoice").values()) == list(range(1, drawn + 1))


def _world(planted: bool) -> Simulation:
    billing = desk_of("billing")

    @billing.command(access="public")
    def draw(cmd: Draw) -> Doing[int]:
        rt = yield from billing.runtime
        return (yield from rt.facts.add("last", "invoice", 1))

    @billing.command(access="public")
    def issue(cmd: Issue) -> Doing[None]:
        rt = yield from billing.runtime
        number = cmd.number
        if number is None:
            number = yield from rt.facts.add("last", "invoice", 1)
        yield from rt.facts.put("invoice", cmd.customer, number)

    @do
    def draw_and_issue(customer: str) -> Program[None, Refused]:
        yield from issue(Issue(customer, (yield from draw(Draw()))))

    def bill(customer: str) -> Eff[None, Refused, Any]:
        return draw_and_issue(customer) if planted else issue(Issue(customer, None))

    return Simulation(
        app_of(billing),
        [Client("ann", [bill("ann")]), Client("bob", [bill("bob")])],
        faults=Faults(crashes=True),
        at_end=[no_number_is_missing],
    )


STRANGER = Stranger(
    title="invoice numbers with a gap",
    needs="a crash between two commands, and a client who does not come back",
    deviations=1,
    world=_world,
)
