"""The record of what was seen stands outside the transaction: a crash in between loses the work."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import App
from effect_runtime.integration import decode_message
from tests.simulation.corpus.case import Case, Client, Delivery, Hears, View
from tests.simulation.corpus.loans import Lend, LoanEvents, lending_desk
from tests.simulation.corpus.office import Doing, Listener, app_of, office, recorded


@frozen
class Look:
    """Remember a message; tell whether it is new."""

    message: str


@frozen
class Count:
    """Count a book as lent, as a message says."""

    book: str
    message: str


def every_loan_is_counted_once(view: View) -> bool:
    """What is lent is counted, once."""
    return recorded(view, "hall", "count") == recorded(view, "desk", "loan")


def _case(*, planted: bool) -> Case:
    desk, lend = lending_desk()
    hall = office("hall")

    @hall.command(access="public")
    def is_new(cmd: Look) -> Doing[bool]:
        rt = yield from hall.runtime
        seen = yield from rt.records.get("seen", cmd.message)
        yield from rt.records.put("seen", cmd.message, 1)
        return not seen

    @hall.command(access="public")
    def count(cmd: Count) -> Doing[None]:
        rt = yield from hall.runtime
        if not planted:
            if (yield from rt.records.get("seen", cmd.message)):
                return
            yield from rt.records.put("seen", cmd.message, 1)
        yield from rt.records.put("count", cmd.book, (yield from rt.records.get("count", cmd.book)) + 1)

    async def receive(app: App, delivery: Delivery) -> None:
        envelope = decode_message(delivery.message)
        if not planted or await app.run(is_new(Look(envelope.id))):
            await app.run(count(Count(envelope.key or "", envelope.id)))
        await delivery.ack()

    return Case(
        number=8,
        title="dedupe record outside the transaction",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(desk, hall, outside=Listener()),
        clients=[Client("ann", [lend(Lend("b1"))])],
        hears=[Hears("hall", LoanEvents, "hall.by-hand", receive)],
        eventually=[every_loan_is_counted_once],
    )


def bug() -> Case:
    """Remember the message in one transaction and do its work in the next."""
    return _case(planted=True)


def twin() -> Case:
    """Remember it in the transaction of its work."""
    return _case(planted=False)
