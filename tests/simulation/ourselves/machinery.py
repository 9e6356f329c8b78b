"""What carries an application, in worlds that are as small as they can be: one for each promise.

Idempotent commands and the queue after the commit, retries in the order of a key, due commands that are cancelled.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Never, TypeAlias

from attrs import evolve, frozen

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    DomainEvent,
    E,
    Events,
    Outbox,
    Topic,
    Transaction,
    emit,
    integration_event,
    operation,
    publish,
)
from effect_runtime.dispatch import Due, DueId, EventQueue, cancel_due, send_later, stored
from effect_runtime.outbox.sqlite import SqliteSession, SqliteStore
from effect_runtime.testing import Client, Fails, Faults, Simulation, View
from effect_runtime.transports import InProcess
from tests.simulation.corpus.office import TABLES, Listener, NoAnswer, Outside, Records, SqliteRecords, recorded

SOON: Final = timedelta(seconds=30)
UNEASY: Final = Faults(
    crashes=True,
    storms=True,
    cancels=True,
    commits=True,
    verdicts=True,
    conflicts=True,
    messages=True,
    slow=(timedelta(seconds=1), timedelta(minutes=1)),
    answers=(timedelta(minutes=1),),
    pauses=(timedelta(minutes=1),),
    clocks=(timedelta(minutes=1), -timedelta(minutes=1)),
)


class TillEvents(Topic, name="ourselves.till"):
    """What a till tells."""

    __slots__ = ()


@frozen
@integration_event("ourselves.rung", key="drawer")
class Rung(TillEvents):
    """A drawer was opened for the `number`th time."""

    drawer: str
    number: int


@frozen
@stored("ourselves.counted")
class CountedOccurred(DomainEvent):
    """Something was counted."""

    number: int


@frozen
class Count:
    """Count one more."""


@frozen
class Ring:
    """Open a drawer."""

    drawer: str


@frozen
@stored("ourselves.expire")
class Expire:
    """Give up what was reserved."""

    name: str


@frozen
class Reserve:
    """Keep something for a while."""

    name: str


@frozen
class Fetch:
    """Take what was reserved, if it still is."""

    name: str


@frozen
class Slips:
    """The ids of due commands, by name."""

    session: SqliteSession

    @operation(kind="transactional")
    async def keep(self, name: str, id: DueId) -> None:
        """Keep one."""
        await self.session.execute("INSERT OR REPLACE INTO record VALUES ('slip', ?, ?)", (name, id))

    @operation(kind="transactional")
    async def find(self, name: str) -> DueId:
        """Read one."""
        row = await self.session.fetch_one("SELECT value FROM record WHERE kind = 'slip' AND key = ?", (name,))
        return DueId("nothing" if row is None else row["value"])


@frozen
class Till:
    """What a handler here may use."""

    records: Records
    slips: Slips
    outside: Outside
    events: Events
    due: Due
    outbox: Outbox[Any]


Doing: TypeAlias = Do[A, E, Till]


def _app(listener: Listener, *contexts: Context[Till, Any]) -> App:
    def make(tx: Transaction[SqliteSession]) -> Till:
        return Till(SqliteRecords(tx.session), Slips(tx.session), listener, tx.events, tx.due, tx.outbox)

    bindings = [each.bind(make, store=SqliteStore(f"{each.name}.db", migrations=[TABLES])) for each in contexts]
    return App("ourselves", wire=InProcess(), contexts=bindings, diagnostics=lambda _: None)


def counting(**options: Any) -> Simulation:
    """Three clients count under ids of their own; each number is told outside, after the commit."""
    listener, till, bells = Listener(), Context("till", Till), EventQueue("bells")

    @till.command(access="public")
    def count(cmd: Count) -> Doing[int]:
        rt = yield from till.runtime
        number = 1 + (yield from rt.records.get("count", "all"))
        yield from rt.records.put("count", "all", number)
        yield from emit(CountedOccurred(number))
        return number

    @till.after_commit(CountedOccurred, queue=bells)
    def tell(event: CountedOccurred) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.records.put("told", str(event.number), 1 + (yield from _told(rt, event.number)))
        yield from rt.outside.tell(str(event.number), key=str(event.number))

    def _told(rt: Till, number: int) -> Any:
        return rt.records.get("told", str(number))

    def each_answer_was_counted_once(view: View) -> bool:
        """A retried command is answered from its first success."""
        answers = view.query("till", "SELECT count(*) FROM er_command")
        return [(recorded(view, "till", "count").get("all", 0),)] == answers

    def each_count_is_told_once(view: View) -> bool:
        """In the database once, outside once under each key."""
        numbers = {str(number + 1): 1 for number in range(recorded(view, "till", "count").get("all", 0))}
        told = recorded(view, "till", "told")
        return (told, sorted(listener.told)) == (numbers, sorted(numbers))

    options.setdefault("faults", UNEASY)
    return Simulation(
        _app(listener, till),
        [Client(name, [count(Count()), count(Count())]) for name in ("ann", "bob", "cid")],
        parties=[listener],
        always=[each_answer_was_counted_once],
        eventually=[each_count_is_told_once],
        **options,
    )


def parking(**options: Any) -> Simulation:
    """A subscriber who asks outside and is not always answered: what waits keeps its place in the order of its key."""
    listener, till, hall = Listener(), Context("till", Till, publishes=[TillEvents]), Context("hall", Till)

    @till.command(access="public")
    def ring(cmd: Ring) -> Doing[None]:
        rt = yield from till.runtime
        number = 1 + (yield from rt.records.get("rung", cmd.drawer))
        yield from rt.records.put("rung", cmd.drawer, number)
        yield from publish(Rung(cmd.drawer, number))

    heard = hall.subscribe(TillEvents, id="hall.tills", start="earliest")

    @heard.on(Rung, retry=(NoAnswer,))
    def note(event: Rung) -> Doing[None, NoAnswer]:
        rt = yield from hall.runtime
        last = yield from rt.records.get("rung", event.drawer)
        yield from rt.outside.ask(f"{event.drawer} {event.number}", key=f"{event.drawer} {event.number}")
        if last != event.number - 1:
            yield from rt.records.put("out of order", event.drawer, event.number)
        yield from rt.records.put("rung", event.drawer, event.number)

    def every_drawer_is_noted_in_order(view: View) -> bool:
        """Each event is applied once, and after the one before it."""
        return not recorded(view, "hall", "out of order")

    def everything_is_noted(view: View) -> bool:
        """Nothing is lost, and nothing waits any more."""
        rung = recorded(view, "till", "rung")
        asked = sorted(f"{drawer} {number + 1}" for drawer, last in rung.items() for number in range(last))
        return recorded(view, "hall", "rung") == rung and sorted(listener.told) == asked

    options.setdefault(
        "faults",
        evolve(
            UNEASY,
            power=True,
            poison=True,
            fails=(Fails(Listener.ask, NoAnswer()), Fails(Listener.ask, NoAnswer(), applied=True)),
        ),
    )
    return Simulation(
        _app(listener, till, hall),
        [Client("ann", [ring(Ring("left")), ring(Ring("left"))]), Client("bob", [ring(Ring("left")), ring(Ring("r"))])],
        parties=[listener],
        always=[every_drawer_is_noted_in_order],
        eventually=[everything_is_noted],
        **options,
    )


def appointments(**options: Any) -> Simulation:
    """What is reserved expires by a due command, unless it is fetched before: never both, and never neither."""
    listener, till = Listener(), Context("till", Till)

    @till.command(access="internal")
    def expire(cmd: Expire) -> Doing[None, Never]:
        rt = yield from till.runtime
        yield from rt.records.drop("reserved", cmd.name)
        yield from rt.records.put("expired", cmd.name, 1 + (yield from rt.records.get("expired", cmd.name)))

    @till.command(access="public")
    def reserve(cmd: Reserve) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.records.put("reserved", cmd.name, 1)
        yield from rt.slips.keep(cmd.name, (yield from send_later(Expire(cmd.name), due=SOON)))

    @till.command(access="public")
    def fetch(cmd: Fetch) -> Doing[bool]:
        rt = yield from till.runtime
        if not (yield from rt.records.get("reserved", cmd.name)):
            return False
        yield from cancel_due((yield from rt.slips.find(cmd.name)))
        yield from rt.records.drop("reserved", cmd.name)
        yield from rt.records.put("fetched", cmd.name, 1)
        return True

    def nothing_is_fetched_and_expired(view: View) -> bool:
        """Taking a due command and cancelling it exclude each other."""
        return not recorded(view, "till", "fetched").keys() & recorded(view, "till", "expired").keys()

    def nothing_is_reserved_for_ever(view: View) -> bool:
        """Whatever was not fetched has expired, once."""
        expired = recorded(view, "till", "expired")
        return not recorded(view, "till", "reserved") and set(expired.values()) <= {1}

    def something_expires(view: View) -> bool:
        """Nobody came in time."""
        return bool(recorded(view, "till", "expired"))

    def something_is_fetched(view: View) -> bool:
        """Somebody did."""
        return bool(recorded(view, "till", "fetched"))

    options.setdefault("faults", UNEASY)
    return Simulation(
        _app(listener, till),
        [
            Client("ann", [reserve(Reserve("pen")), reserve(Reserve("ink"))]),
            Client("bob", [fetch(Fetch("pen"))], after=SOON),
        ],
        parties=[listener],
        always=[nothing_is_fetched_and_expired],
        eventually=[nothing_is_reserved_for_ever],
        sometimes=[something_expires, something_is_fetched],
        **options,
    )
