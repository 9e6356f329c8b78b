"""Poison: one missing answer makes a dead letter that blocks everything behind it, for good."""

from __future__ import annotations

from tests.simulation.corpus.case import Case, Client, Fails, View
from tests.simulation.corpus.loans import Lend, Lent, LoanEvents, lending_desk
from tests.simulation.corpus.office import Doing, Listener, NoAnswer, app_of, office, recorded


def every_loan_is_counted(view: View) -> bool:
    """Every event of the key has been handled."""
    return recorded(view, "hall", "count") == recorded(view, "desk", "loan")


def _case(*, planted: bool) -> Case:
    library = Listener()
    desk, lend = lending_desk()
    hall = office("hall")
    loans = hall.subscribe(LoanEvents, id="hall.loans", start="earliest")

    @loans.on(Lent, **({"dead_letter": (NoAnswer,)} if planted else {"retry": (NoAnswer,)}))
    def count(event: Lent) -> Doing[None, NoAnswer]:
        rt = yield from hall.runtime
        yield from rt.outside.ask(event.book)
        yield from rt.records.put("count", event.book, (yield from rt.records.get("count", event.book)) + 1)

    return Case(
        number=13,
        title="poison message blocks its partition",
        needs=frozenset({"failure", "liveness"}),
        deviations=1,
        app=app_of(desk, hall, outside=library),
        clients=[Client("ann", [lend(Lend("b1")), lend(Lend("b1"))])],
        parties=[library],
        fails=[Fails(Listener.ask, NoAnswer())],
        eventually=[every_loan_is_counted],
    )


def bug() -> Case:
    """Give an event up at the first missing answer, and block its key."""
    return _case(planted=True)


def twin() -> Case:
    """Ask again later."""
    return _case(planted=False)
