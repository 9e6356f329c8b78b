"""A report from two transactions: money that moves between them is counted twice, or not at all."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Fill:
    """Begin with money in two accounts."""


@frozen
class Move:
    """Move money from the first account to the second."""


@frozen
class BalanceOf:
    """Ask for some accounts together."""

    accounts: str


@frozen
class Report:
    """Write down what there is in all."""

    total: int


def the_report_balances(view: View) -> bool:
    """There are ten, wherever they are."""
    return all(total == 10 for total in facts_of(view, "bank", "report").values())


def _world(planted: bool) -> Simulation:
    bank = desk_of("bank")

    @bank.command(access="public")
    def fill(cmd: Fill) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.put("balance", "a", 5)
        yield from rt.facts.put("balance", "b", 5)

    @bank.command(access="public")
    def move(cmd: Move) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.add("balance", "a", -5)
        yield from rt.facts.add("balance", "b", 5)

    @bank.query(access="public")
    def balance_of(ask: BalanceOf) -> Looking[int]:
        rt = yield from bank.reads
        balances = yield from rt.facts.all("balance")
        return sum(balances[account] for account in ask.accounts)

    @bank.command(access="public")
    def report(cmd: Report) -> Doing[None]:
        rt = yield from bank.runtime
        yield from rt.facts.put("report", "total", cmd.total)

    @do
    def close_the_day() -> Program[None, Refused]:
        total = 0
        for accounts in ("a", "b") if planted else ("ab",):
            total += yield from balance_of(BalanceOf(accounts))
        yield from report(Report(total))

    return Simulation(
        app_of(bank),
        [Client("clerk", [close_the_day()]), Client("ann", [move(Move())])],
        given=[fill(Fill())],
        faults=Faults(crashes=True),
        at_end=[the_report_balances],
    )


STRANGER = Stranger(
    title="a report from two transactions",
    needs="a transfer between two queries",
    deviations=1,
    world=_world,
)
