"""A saga without its way back: money that arrives at a closed account is ignored, and belongs to nobody."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Topic, guard, integration_event, publish
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class HomeEvents(Topic, name="strangers-25.home"):
    """What the bank at home tells."""

    __slots__ = ()


class AwayEvents(Topic, name="strangers-25.away"):
    """What the other bank tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-25.sent", key="account")
class Sent(HomeEvents):
    """Money is on its way."""

    account: str


@frozen
@integration_event("strangers-25.returned", key="account")
class Returned(AwayEvents):
    """Money comes back."""

    account: str


@frozen
class Send:
    """Send money to an account of the other bank."""

    account: str


@frozen
class Open:
    """Open an account."""

    account: str


@frozen
class Close:
    """Close an account; what is on it is paid out."""

    account: str


@frozen
class Closed:
    """There is no such account any more."""


def no_money_is_lost(view: View) -> bool:
    """What left is there, or was paid out, or came back."""
    at_home = sum(facts_of(view, "home", "balance").values())
    away = sum(facts_of(view, "away", "balance").values()) + sum(facts_of(view, "away", "paid out").values())
    return at_home + away == 0


def _world(planted: bool) -> Simulation:
    home, away = desk_of("home", publishes=[HomeEvents]), desk_of("away", publishes=[AwayEvents])

    @home.command(access="public")
    def send(cmd: Send) -> Doing[None]:
        rt = yield from home.runtime
        yield from rt.facts.add("balance", cmd.account, -1)
        yield from publish(Sent(cmd.account))

    @away.command(access="public")
    def open_account(cmd: Open) -> Doing[None]:
        rt = yield from away.runtime
        yield from rt.facts.put("open", cmd.account, 1)

    @away.command(access="public")
    def close(cmd: Close) -> Doing[None]:
        rt = yield from away.runtime
        yield from rt.facts.drop("open", cmd.account)
        yield from rt.facts.put("paid out", cmd.account, (yield from rt.facts.get("balance", cmd.account)))
        yield from rt.facts.drop("balance", cmd.account)

    transfers = away.subscribe(HomeEvents, id="away.transfers", start="earliest")

    @transfers.on(Sent, ignore=(Closed,))
    def receive(event: Sent) -> Doing[None, Closed]:
        rt = yield from away.runtime
        if not planted and not (yield from rt.facts.get("open", event.account)):
            yield from publish(Returned(event.account))
            return
        yield from guard((yield from rt.facts.get("open", event.account)) > 0, Closed())
        yield from rt.facts.add("balance", event.account, 1)

    returns = home.subscribe(AwayEvents, id="home.returns", start="earliest")

    @returns.on(Returned)
    def take_back(event: Returned) -> Doing[None]:
        rt = yield from home.runtime
        yield from rt.facts.add("balance", event.account, 1)

    return Simulation(
        app_of(home, away),
        [Client("ann", [send(Send("eve"))]), Client("eve", [close(Close("eve"))], after=timedelta(seconds=30))],
        given=[open_account(Open("eve"))],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        eventually=[no_money_is_lost],
    )


STRANGER = Stranger(
    title="money for a closed account",
    needs="an event that comes after the account was closed",
    deviations=1,
    world=_world,
)
