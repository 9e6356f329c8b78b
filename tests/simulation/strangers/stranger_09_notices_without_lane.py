"""An after-commit queue without a key: the older balance may be noted after the newer one."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import DomainEvent, emit
from effect_runtime.dispatch import EventQueue, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


@frozen
@stored("strangers-09.balance-changed")
class BalanceChangedOccurred(DomainEvent):
    """An account has a new balance."""

    account: str
    balance: int


@frozen
class Pay:
    """Pay into an account."""

    account: str
    amount: int


def the_notice_shows_the_balance(view: View) -> bool:
    """What the customer was sent last is what the account has."""
    return facts_of(view, "bank", "notice") == facts_of(view, "bank", "balance")


def _world(planted: bool) -> Simulation:
    bank = desk_of("bank")
    notices = EventQueue("notices", concurrency=0)

    @bank.command(access="public")
    def pay(cmd: Pay) -> Doing[None]:
        rt = yield from bank.runtime
        balance = yield from rt.facts.add("balance", cmd.account, cmd.amount)
        yield from emit(BalanceChangedOccurred(cmd.account, balance))

    @bank.after_commit(BalanceChangedOccurred, queue=notices, key=None if planted else "account")
    def notify(event: BalanceChangedOccurred) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.put("notice", event.account, event.balance)

    return Simulation(
        app_of(bank),
        [Client("ann", [pay(Pay("a", 10)), pay(Pay("a", 5))])],
        faults=Faults(crashes=True, slow=(timedelta(seconds=1),)),
        eventually=[the_notice_shows_the_balance],
    )


STRANGER = Stranger(
    title="notices without a lane",
    needs="the handler of the older event after that of the newer one",
    deviations=1,
    world=_world,
)
