"""Charged before the intent is durable: a crash leaves money taken that no record explains."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Program, app_of, office, recorded


@frozen
class Intend:
    """Write down that a fee is about to be charged."""

    loan: str


@frozen
class Charge:
    """Charge a fee."""

    loan: str


def _case(*, planted: bool) -> Case:
    bank = Listener()
    till = office("till")

    @till.command(access="public")
    def intend(cmd: Intend) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.records.put("fee", cmd.loan, 1)

    @till.command(access="public")
    def charge(cmd: Charge) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.outside.tell(cmd.loan, key=cmd.loan)
        yield from rt.records.put("fee", cmd.loan, 2)

    @do
    def take(loan: str) -> Program[None, Refused]:
        if not planted:
            yield from intend(Intend(loan))
        yield from charge(Charge(loan))

    def every_charge_has_its_record(view: View) -> bool:
        return set(bank.told) <= set(recorded(view, "till", "fee"))

    return Case(
        number=10,
        title="charge before durable intent",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(till, outside=bank),
        clients=[Client("ann", [take("l1")])],
        parties=[bank],
        at_end=[every_charge_has_its_record],
    )


def bug() -> Case:
    """Charge, then write down."""
    return _case(planted=True)


def twin() -> Case:
    """Write the intent down, then charge."""
    return _case(planted=False)
