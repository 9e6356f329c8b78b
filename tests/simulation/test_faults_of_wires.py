"""Faults of the wire: messages that are lost, acknowledgements that do not arrive, strangers in the line."""

from __future__ import annotations

from typing import Any, Never

import pytest
from attrs import evolve, frozen

from effect_runtime import App, Context, Do, Outbox, Topic, Transaction, integration_event, publish
from effect_runtime.errors import BadEnvelope
from effect_runtime.integration import decode_message
from effect_runtime.outbox.sqlite import SqliteSession, SqliteStore
from effect_runtime.runtime import Clock
from effect_runtime.testing import Client, Delivery, Faults, Hears, Simulation, View
from effect_runtime.transports import InProcess
from tests.simulation.corpus.office import TABLES, SqliteRecords, recorded
from tests.simulation.faulty import SECOND, of, shown
from tests.simulation.ourselves.machinery import parking

WIRES = Faults(crashes=True, messages=True, slow=(SECOND,))

SHORT = 0.5
LONG = 20.0


class NewsEvents(Topic, name="faults.news"):
    """What a desk tells."""

    __slots__ = ()


@frozen
@integration_event("faults.told", key="subject")
class Told(NewsEvents):
    """Something was told."""

    subject: str
    at: int


@frozen
class Tell:
    """Tell something."""

    subject: str


@frozen
class Count:
    """Count a message under its id, as of a moment."""

    id: str


@frozen
class Room:
    """What both sides need."""

    records: SqliteRecords
    clock: Clock
    outbox: Outbox[Any]


def world(
    receive: Any, *, hall: Context[Room, Any] | None = None, eventually: Any, faults: Faults = WIRES
) -> Simulation:
    """Return a desk that tells two things of one subject, and a hall that hears them by hand or by its handlers."""
    desk, hall = Context("desk", Room, publishes=[NewsEvents]), hall or Context("hall", Room)

    @desk.command(access="public")
    def tell(cmd: Tell) -> Do[None, Never, Room]:
        rt = yield from desk.runtime
        told = 1 + (yield from rt.records.get("told", cmd.subject))
        yield from rt.records.put("told", cmd.subject, told)
        yield from publish(Told(cmd.subject, int((yield from rt.clock.now()).timestamp())))

    def make(tx: Transaction[SqliteSession]) -> Room:
        return Room(SqliteRecords(tx.session), tx.clock, tx.outbox)

    bindings = [each.bind(make, store=SqliteStore(f"{each.name}.db", migrations=[TABLES])) for each in (desk, hall)]
    app = App("news", wire=InProcess(), contexts=bindings, diagnostics=lambda _: None)
    hears = [] if receive is None else [Hears("hall", NewsEvents, "hall.by-hand", receive)]
    clients = [Client("ann", [tell(Tell("dune")), tell(Tell("dune"))])]
    return Simulation(app, clients, hears=hears, eventually=[eventually], faults=faults)


def everything_is_counted(view: View) -> bool:
    """What was told is counted, once each."""
    return sum(recorded(view, "hall", "seen").values()) == sum(recorded(view, "desk", "told").values())


def stale(*, planted: bool) -> Simulation:
    """A hall that leaves out what is old when it comes."""
    hall = Context("hall", Room)
    heard = hall.subscribe(NewsEvents, id="hall.news", start="earliest")

    @heard.on(Told)
    def count(event: Told) -> Do[None, Never, Room]:
        rt = yield from hall.runtime
        age = (yield from rt.clock.now()).timestamp() - event.at
        if age < LONG or not planted:
            seen = yield from rt.records.get("seen", event.subject)
            yield from rt.records.put("seen", event.subject, seen + 1)

    return world(None, hall=hall, eventually=everything_is_counted)


def test_a_lost_message_comes_again_much_later() -> None:
    """What is merely late is young enough; who takes old news for no news loses it."""
    assert shown(stale(planted=True)) == {"lost"}
    assert shown(stale(planted=False)) == set()


def windowed(*, planted: bool) -> Simulation:
    """A hall that remembers for half a second what it has counted, or for good."""
    hall = Context("hall", Room)

    @hall.command(access="public")
    def count(cmd: Count) -> Do[None, Never, Room]:
        rt = yield from hall.runtime
        now = int((yield from rt.clock.now()).timestamp() * 1000)
        last = yield from rt.records.get("at", cmd.id)
        if not last:
            yield from rt.records.put("at", cmd.id, now)
        if not last or (planted and now - last > SHORT * 1000):
            yield from rt.records.put("seen", cmd.id, 1 + (yield from rt.records.get("seen", cmd.id)))

    async def receive(app: App, delivery: Delivery) -> None:
        await app.run(count(Count(decode_message(delivery.message).id)))
        await delivery.ack()

    return world(receive, hall=hall, eventually=everything_is_counted, faults=evolve(WIRES, crashes=False))


def test_a_lost_acknowledgement_brings_a_message_again_after_a_while() -> None:
    """A double that comes at once is still remembered."""
    assert shown(windowed(planted=True)) == {"ack lost"}
    assert shown(windowed(planted=False)) == set()


def trusting(*, planted: bool) -> Simulation:
    """A hall that reads whatever comes, or lets go of what it cannot read."""
    hall = Context("hall", Room)

    @hall.command(access="public")
    def count(cmd: Count) -> Do[None, Never, Room]:
        rt = yield from hall.runtime
        yield from rt.records.put("seen", cmd.id, 1)

    async def receive(app: App, delivery: Delivery) -> None:
        try:
            envelope = decode_message(delivery.message)
            if envelope.type != "faults.told":
                raise LookupError(envelope.type)
        except (BadEnvelope, LookupError):
            if planted:
                raise
        else:
            await app.run(count(Count(envelope.id)), command_id=envelope.id)
        await delivery.ack()

    return world(receive, hall=hall, eventually=everything_is_counted, faults=evolve(WIRES, poison=True))


def test_a_stranger_in_the_line_shows_who_waits_for_it_for_ever() -> None:
    """Bytes that are nothing, and an event that nobody knows, each before a message of its key."""
    assert shown(trusting(planted=True)) == {"unreadable bytes first", "an unknown event first"}
    assert shown(trusting(planted=False)) == set()


@pytest.mark.parametrize("title", ["unreadable bytes first", "an unknown event first"])
def test_production_lets_a_stranger_pass(title: str) -> None:
    """The one is a dead letter that blocks nobody, the other is none of its business."""
    run = of(parking(faults=Faults(poison=True)), title)
    assert (run.failure, run.troubles) == (None, ())
