"""Told apart by what it says: two deposits of one amount within a minute are taken for one that came twice."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Topic, integration_event, publish
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class TillEvents(Topic, name="strangers-30.till"):
    """What the till tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-30.deposited", key="account")
class Deposited(TillEvents):
    """Money came in."""

    account: str
    amount: int


@frozen
class Deposit:
    """Pay money in."""

    account: str
    amount: int


def everything_is_booked(view: View) -> bool:
    """The ledger has what the till has."""
    return facts_of(view, "ledger", "booked") == facts_of(view, "till", "paid in")


def _world(planted: bool) -> Simulation:
    till, ledger = desk_of("till", publishes=[TillEvents]), desk_of("ledger")

    @till.command(access="public")
    def deposit(cmd: Deposit) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.facts.add("paid in", cmd.account, cmd.amount)
        yield from publish(Deposited(cmd.account, cmd.amount))

    news = ledger.subscribe(TillEvents, id="ledger.till", start="earliest")

    @news.on(Deposited)
    def book(event: Deposited) -> Doing[None]:
        rt = yield from ledger.runtime
        now = int((yield from rt.clock.now()).timestamp())
        before = yield from rt.facts.get("seen", f"{event.account} {event.amount}")
        if planted and now - before < 60:
            return
        yield from rt.facts.put("seen", f"{event.account} {event.amount}", now)
        yield from rt.facts.add("booked", event.account, event.amount)

    return Simulation(
        app_of(till, ledger),
        [
            Client("ann", [deposit(Deposit("a", 10))]),
            Client("bob", [deposit(Deposit("a", 10))], after=timedelta(seconds=90)),
        ],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        eventually=[everything_is_booked],
    )


STRANGER = Stranger(
    title="told apart by what it says",
    needs="an event that comes a minute late",
    deviations=1,
    world=_world,
)
