"""Publish before commit: the world hears of a loan that a crash undoes."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Topic, integration_event, publish
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, app_of, office, recorded


class LoanEvents(Topic, name="corpus-03.loans"):
    """What the desk tells."""

    __slots__ = ()


@frozen
@integration_event("corpus-03.lent", key="book")
class Lent(LoanEvents):
    """A book was lent."""

    book: str


@frozen
class Lend:
    """Lend a book."""

    book: str


def _case(*, planted: bool) -> Case:
    board = Listener()
    desk, hall = office("desk", publishes=[LoanEvents]), office("hall")

    @desk.command(access="public")
    def lend(cmd: Lend) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.put("loan", cmd.book, 1)
        if planted:
            yield from rt.outside.tell(cmd.book, key=cmd.book)
        else:
            yield from publish(Lent(cmd.book))

    loans = hall.subscribe(LoanEvents, id="hall.loans", start="earliest")

    @loans.on(Lent)
    def put_up(event: Lent) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.outside.tell(event.book, key=event.book)

    def what_is_told_is_true(view: View) -> bool:
        return set(board.told) <= set(recorded(view, "desk", "loan"))

    def every_loan_is_told(view: View) -> bool:
        return set(recorded(view, "desk", "loan")) <= set(board.told)

    return Case(
        number=3,
        title="publish before commit",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(desk, hall, outside=board),
        clients=[Client("ann", [lend(Lend("b1"))])],
        parties=[board],
        at_end=[what_is_told_is_true],
        eventually=[every_loan_is_told],
    )


def bug() -> Case:
    """Tell the world in the middle of the unit of work."""
    return _case(planted=True)


def twin() -> Case:
    """Commit the event with the loan."""
    return _case(planted=False)
