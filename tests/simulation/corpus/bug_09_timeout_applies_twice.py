"""No answer, so it is asked again: the fee whose answer was lost is charged twice."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Schedule
from effect_runtime.effect import retry
from tests.simulation.corpus.case import Case, Client, Fails, View
from tests.simulation.corpus.office import Doing, Listener, NoAnswer, app_of, office


@frozen
class Charge:
    """Charge a fee."""

    loan: str


def _case(*, planted: bool) -> Case:
    bank = Listener()
    till = office("till")

    @till.command(access="public")
    def charge(cmd: Charge) -> Doing[None, NoAnswer]:
        rt = yield from till.runtime
        asked = rt.outside.ask(cmd.loan, key=None if planted else cmd.loan)
        yield from retry(asked, Schedule.fixed(timedelta(seconds=1)).times(3))
        yield from rt.records.put("charged", cmd.loan, 1)

    def no_loan_is_charged_twice(view: View) -> bool:
        return len(bank.told) == len(set(bank.told))

    return Case(
        number=9,
        title="timeout then retry applies twice",
        needs=frozenset({"ambiguous"}),
        deviations=1,
        app=app_of(till, outside=bank),
        clients=[Client("ann", [charge(Charge("l1"))])],
        parties=[bank],
        fails=[Fails(Listener.ask, NoAnswer(), applied=True)],
        at_end=[no_loan_is_charged_twice],
    )


def bug() -> Case:
    """Ask again as if nothing had been asked."""
    return _case(planted=True)


def twin() -> Case:
    """Ask again under the same key."""
    return _case(planted=False)
