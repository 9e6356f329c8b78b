"""A desk through which something real is reached for, at any station of a command, by names that were taken before."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from inspect import isawaitable
from time import monotonic
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

from attrs import Attribute, field, frozen

from effect_runtime import A, App, Context, Do, DomainEvent, E, Events, ReadTransaction, Transaction, emit, operation
from effect_runtime.dispatch import EventQueue, Principal, stored
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Client, Simulation, View
from effect_runtime.transports import InProcess

Reach: TypeAlias = Callable[[], Any]
"""Something that reaches, or returns what has to be awaited for it."""

STATIONS: Final = (
    "handler", "adapter", "operation", "validate", "policy", "query", "event", "after commit", "make", "claim",
)  # fmt: skip


def of_the_line(instance: object, attribute: Attribute[float], value: float) -> None:
    """Refuse what was not made just now: a validator that looks at the clock."""
    if value > monotonic():
        raise ValueError(value)


@frozen
class Stamped:
    """A value that takes its id from the machine, by a name that attrs has kept."""

    id: UUID = field(factory=uuid4)


@frozen
class Dated:
    """A value whose validator reads the clock."""

    at: float = field(default=0.0, validator=of_the_line)


@frozen
class Go:
    """Reach for it, at one station."""


@frozen
class Look:
    """Ask something."""


@frozen
@stored("leaky.gone")
class GoneOccurred(DomainEvent):
    """It was done."""


class Rows:
    """Rows of a table."""

    def __init__(self, table: MutableMapping[str, int], reach: Reach) -> None:
        self._table = table
        self._reach = reach

    @operation(kind="transactional")
    async def put(self) -> None:
        """Count, after reaching for it, and awaiting it where that can be done."""
        reached = self._reach()
        if isawaitable(reached):
            with suppress(Exception):
                await reached
        self._table["all"] = self._table.get("all", 0) + 1


@frozen
class Desk:
    """What a handler may use."""

    rows: Rows
    events: Events


@frozen
class Glance:
    """What a query may use."""

    rows: Rows


Doing: TypeAlias = Do[A, E, Desk]
Looking: TypeAlias = Do[A, E, Glance]


class Reaching:
    """Reaches at one of the stations only, and then swallows whatever that is answered with."""

    def __init__(self, station: str, reach: Reach) -> None:
        self._station = station
        self._reach = reach

    def at(self, station: str) -> Any:
        """Reach, if it is here."""
        if station == self._station:
            with suppress(Exception):
                return self._reach()
        return None


def reaching(station: str, reach: Reach, *, strict: bool = True) -> Simulation:
    """Return a world in which somebody reaches for something at a station, and catches everything."""
    reacher, queue = Reaching(station, reach), EventQueue("bells")
    desk = Context("desk", Desk, reads=Glance)

    def may(principal: Principal, command: Go) -> bool:
        reacher.at("policy")
        return True

    def valid(command: Go) -> list[Any]:
        reacher.at("validate")
        return []

    @desk.command(access=may, validate=valid)
    def go(command: Go) -> Doing[None]:
        reacher.at("handler")
        rt = yield from desk.runtime
        yield from rt.rows.put()
        yield from emit(GoneOccurred())

    @desk.on(GoneOccurred)
    def gone(event: GoneOccurred) -> Doing[None]:
        reacher.at("event")
        rt = yield from desk.runtime
        yield from rt.rows.put()

    @desk.after_commit(GoneOccurred, queue=queue)
    def told(event: GoneOccurred) -> Doing[None]:
        reacher.at("after commit")
        rt = yield from desk.runtime
        yield from rt.rows.put()

    @desk.query(access="public")
    def look(ask: Look) -> Looking[None]:
        reacher.at("query")
        rt = yield from desk.reads
        yield from rt.rows.put()

    def make(tx: Transaction[Any]) -> Desk:
        reacher.at("make")
        return Desk(Rows(tx.session.table("rows"), lambda: reacher.at("adapter")), tx.events)

    def make_reads(tx: ReadTransaction[Any]) -> Glance:
        return Glance(Rows({}, lambda: reacher.at("operation")))

    def looked_at(view: View) -> bool:
        reacher.at("claim")
        return True

    app = App("leaky", wire=InProcess(), contexts=[desk.bind(make, make_reads, store=MemoryStore())])
    clients = [Client("ann", [go(Go()), look(Look())])]
    return Simulation(app, clients, always=[looked_at], strict=strict)
