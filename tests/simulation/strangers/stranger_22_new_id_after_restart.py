"""A new id for each submission: whoever comes back after a crash submits another order."""

from __future__ import annotations

from uuid import UUID

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of


@frozen
class NewId:
    """Ask for an id for the form."""

    form: str


@frozen
class Submit:
    """Submit a form under an id."""

    id: str


def each_form_is_submitted_once(view: View) -> bool:
    """One order for each form."""
    return len(facts_of(view, "shop", "order")) <= 1


def _world(planted: bool) -> Simulation:
    shop = desk_of("shop")

    @shop.query(access="public")
    def new_id(ask: NewId) -> Looking[str]:
        rt = yield from shop.reads
        drawn: UUID = yield from rt.ids.uuid()
        return str(drawn) if planted else ask.form

    @shop.command(access="public")
    def submit(cmd: Submit) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("order", cmd.id, 1)

    @do
    def order(form: str) -> Program[None, Refused]:
        yield from submit(Submit((yield from new_id(NewId(form)))))

    return Simulation(
        app_of(shop),
        [Client("ann", [order("f1")])],
        faults=Faults(crashes=True),
        always=[each_form_is_submitted_once],
    )


STRANGER = Stranger(
    title="a new id for each submission",
    needs="a crash after the commit, and a client who asks again",
    deviations=1,
    world=_world,
)
