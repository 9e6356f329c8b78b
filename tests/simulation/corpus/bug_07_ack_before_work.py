"""Acknowledged before the work: a crash in between loses the message."""

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


def every_loan_is_counted(view: View) -> bool:
    """What is lent is counted."""
    return set(recorded(view, "hall", "count")) == set(recorded(view, "desk", "loan"))


def _case(*, planted: bool) -> Case:
    desk, lend = lending_desk()
    hall = office("hall")

    @hall.command(access="public")
    def count(cmd: Count) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.records.put("count", cmd.book, 1)

    async def receive(app: App, delivery: Delivery) -> None:
        envelope = decode_message(delivery.message)
        if planted:
            await delivery.ack()
        await app.run(count(Count(envelope.key or "")), command_id=envelope.id)
        if not planted:
            await delivery.ack()

    return Case(
        number=7,
        title="ack before work",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(desk, hall, outside=Listener()),
        clients=[Client("ann", [lend(Lend("b1"))])],
        hears=[Hears("hall", LoanEvents, "hall.by-hand", receive)],
        eventually=[every_loan_is_counted],
    )


def bug() -> Case:
    """Acknowledge, then count."""
    return _case(planted=True)


def twin() -> Case:
    """Count, then acknowledge."""
    return _case(planted=False)
