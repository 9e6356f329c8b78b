"""A consumer that is not idempotent: a message that comes twice is counted twice."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import App
from effect_runtime.integration import decode_message
from tests.simulation.corpus.case import Case, Client, Delivery, Hears, View
from tests.simulation.corpus.loans import Lend, LoanEvents, lending_desk
from tests.simulation.corpus.office import Doing, Listener, app_of, office, recorded


@frozen
class Count:
    """Count a book as lent."""

    book: str


def no_loan_is_counted_twice(view: View) -> bool:
    """The count never exceeds the loans."""
    return all(count <= 1 for count in recorded(view, "hall", "count").values())


def every_loan_is_counted(view: View) -> bool:
    """The count reaches the loans."""
    return recorded(view, "hall", "count") == recorded(view, "desk", "loan")


def _case(*, planted: bool) -> Case:
    desk, lend = lending_desk()
    hall = office("hall")

    @hall.command(access="public")
    def count(cmd: Count) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.records.put("count", cmd.book, (yield from rt.records.get("count", cmd.book)) + 1)

    async def receive(app: App, delivery: Delivery) -> None:
        envelope = decode_message(delivery.message)
        await app.run(count(Count(envelope.key or "")), command_id=None if planted else envelope.id)
        await delivery.ack()

    return Case(
        number=6,
        title="consumer not idempotent",
        needs=frozenset({"duplicate"}),
        deviations=1,
        app=app_of(desk, hall, outside=Listener()),
        clients=[Client("ann", [lend(Lend("b1"))])],
        hears=[Hears("hall", LoanEvents, "hall.by-hand", receive)],
        always=[no_loan_is_counted_twice],
        eventually=[every_loan_is_counted],
    )


def bug() -> Case:
    """Count each message."""
    return _case(planted=True)


def twin() -> Case:
    """Count under the message's id."""
    return _case(planted=False)
