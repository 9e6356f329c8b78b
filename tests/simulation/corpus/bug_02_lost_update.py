"""Lost update: a balance is read, changed outside, and written back over somebody else's change."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class Balance:
    """Ask for the balance."""


@frozen
class Write:
    """Write what the balance is now, and who paid."""

    patron: str
    amount: int
    balance: int


def every_payment_is_in_the_balance(view: View) -> bool:
    """The balance is the sum of the payments."""
    return recorded(view, "till", "balance").get("all", 0) == sum(recorded(view, "till", "paid").values())


def _case(*, planted: bool) -> Case:
    till = office("till")

    @till.query(access="public")
    def balance(ask: Balance) -> Looking[int]:
        rt = yield from till.reads
        return (yield from rt.records.get("balance", "all"))

    @till.command(access="public")
    def write(cmd: Write) -> Doing[None]:
        rt = yield from till.runtime
        paid = yield from rt.records.get("paid", cmd.patron)
        if paid:
            return
        now = cmd.balance if planted else (yield from rt.records.get("balance", "all"))
        yield from rt.records.put("paid", cmd.patron, cmd.amount)
        yield from rt.records.put("balance", "all", now + cmd.amount)

    @do
    def pay(patron: str, amount: int) -> Program[None, Refused]:
        yield from write(Write(patron, amount, (yield from balance(Balance()))))

    return Case(
        number=2,
        title="lost update",
        needs=frozenset({"order"}),
        deviations=1,
        app=app_of(till, outside=Listener()),
        clients=[Client("ann", [pay("ann", 3)]), Client("bob", [pay("bob", 5)])],
        always=[every_payment_is_in_the_balance],
    )


def bug() -> Case:
    """Add to the balance that was read before."""
    return _case(planted=True)


def twin() -> Case:
    """Add to the balance as it is in the transaction."""
    return _case(planted=False)
