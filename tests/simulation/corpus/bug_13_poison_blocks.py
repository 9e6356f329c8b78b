"""Poison: one missing answer makes a dead letter that blocks everything behind it, for good."""

from __future__ import annotations

from tests.simulation.corpus.case import Case, Client, Fails, View
from tests.simulation.corpus.loans import Lend, Lent, LoanEvents, lending_desk
from tests.simulation.corpus.office import Doing, Listener, NoAnswer, app_of, office, recorded


def every_event_arrives(view: View) -> bool:
    """Both events of the key have been handled."""
    return recorded(view, "hall", "count") == {"b1": 2}


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
        eventually=[every_event_arrives],
        excluded=frozenset({"crash"}),  # a client that is given up lends less, and one that starts over lends more
    )


def bug() -> Case:
    """Give an event up at the first missing answer, and block its key."""
    return _case(planted=True)


def twin() -> Case:
    """Ask again later."""
    return _case(planted=False)
