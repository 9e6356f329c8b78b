"""Caught is not undone: the fee cannot be taken, the transfer is declined, and the money is gone all the same."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Eff, Succeeded, atomic, attempt, do
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from tests.simulation.strangers.premises import Desk, Doing, NoAnswer, Provider, Stranger, app_of, desk_of, facts_of


@frozen
class Deposit:
    """Pay money in."""

    account: str


@frozen
class Send:
    """Send money abroad; True if it went."""

    account: str


def money_is_here_or_abroad(view: View) -> bool:
    """Nothing is lost on the way."""
    return facts_of(view, "bank", "balance").get("ann", 0) + facts_of(view, "bank", "abroad").get("ann", 0) == 1


def _world(planted: bool) -> Simulation:
    bank = desk_of("bank")

    @bank.command(access="public")
    def deposit(cmd: Deposit) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", cmd.account, 1)

    @do
    def wire(account: str) -> Doing[None, NoAnswer]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", account, -1)
        yield from rt.provider.ask(f"wire {account}", key=rt.key)
        yield from rt.facts.add("abroad", account, 1)

    @bank.command(access="public")
    def send(cmd: Send) -> Doing[bool]:
        wiring: Eff[None, NoAnswer, Desk] = wire(cmd.account)
        done = yield from attempt(wiring if planted else atomic(wiring))
        return isinstance(done, Succeeded)

    return Simulation(
        app_of(bank),
        [Client("ann", [send(Send("ann"))])],
        given=[deposit(Deposit("ann"))],
        faults=Faults(crashes=True, fails=(Fails(Provider.ask, NoAnswer()),)),
        always=[money_is_here_or_abroad],
    )


STRANGER = Stranger(
    title="caught is not undone",
    needs="a provider who does not answer",
    deviations=1,
    world=_world,
)
