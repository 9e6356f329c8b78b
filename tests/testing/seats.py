"""Seats that are held for a quarter of an hour: what happens by itself, and what a process keeps in mind."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal, NewType, TypeAlias

from attrs import define, field, frozen

from effect_runtime import A, Context, Do, E, Failed, Succeeded, Transaction, fail, guard, operation
from effect_runtime.dispatch import Binding, Due, DueId, send_later, stored
from effect_runtime.outbox.memory import MemorySession, MemoryStore
from effect_runtime.testing.properties import Drawn

Bug: TypeAlias = Literal["expires although it was bought", "counts in memory"]

SeatId = NewType("SeatId", str)
HELD = timedelta(minutes=15)


@frozen
class Rows:
    """Who has which seat: "held" or "bought"."""

    rows: MutableMapping[str, str]

    @operation(kind="transactional")
    async def get(self, id: SeatId) -> str | None:
        """Yield how a seat is."""
        return self.rows.get(id)

    @operation(kind="transactional")
    async def put(self, id: SeatId, how: str | None) -> None:
        """Say how a seat is."""
        if how is None:
            self.rows.pop(id, None)
        else:
            self.rows[id] = how

    @operation(kind="transactional")
    async def count(self) -> int:
        """Yield how many seats are bought."""
        return sum(how == "bought" for how in self.rows.values())


@define
class Memory:
    """What one life of a process keeps in mind."""

    sold: int = 0


@frozen
class Noted:
    """The same count, kept by the process instead of the store."""

    memory: Memory

    @operation(kind="local")
    async def add(self) -> int:
        """Count one more."""
        self.memory.sold += 1
        return self.memory.sold


@frozen
class Runtime:
    """What the desk runs with."""

    seats: Rows
    noted: Noted
    due: Due


@frozen
class NotFree:
    """Somebody has it."""

    seat: SeatId


@frozen
class NotHeld:
    """Nobody holds it."""

    seat: SeatId


@frozen
class Hold:
    """Hold a seat for a while."""

    seat: SeatId


@frozen
class Buy:
    """Buy a seat that is held."""

    seat: SeatId


@frozen
@stored("seats.expire")
class Expire:
    """Let a seat go."""

    seat: SeatId


Desk: TypeAlias = Do[A, E, Runtime]


def desk_with(bug: Bug | None) -> Binding:
    """Return the desk, sound or with one bug."""
    desk = Context("seats", Runtime)

    @desk.command(access="public")
    def hold(command: Hold) -> Desk[DueId, NotFree]:
        rt = yield from desk.runtime
        how = yield from rt.seats.get(command.seat)
        yield from guard(how is None, NotFree(command.seat))
        yield from rt.seats.put(command.seat, "held")
        return (yield from send_later(Expire(command.seat), due=HELD))

    @desk.command(access="public")
    def buy(command: Buy) -> Desk[int, NotHeld]:
        rt = yield from desk.runtime
        how = yield from rt.seats.get(command.seat)
        if how != "held":
            return (yield from fail(NotHeld(command.seat)))
        yield from rt.seats.put(command.seat, "bought")
        if bug == "counts in memory":
            return (yield from rt.noted.add())
        return (yield from rt.seats.count())

    @desk.command(access="internal")
    def expire(command: Expire) -> Desk[None]:
        rt = yield from desk.runtime
        how = yield from rt.seats.get(command.seat)
        if how == "held" or bug == "expires although it was bought":
            yield from rt.seats.put(command.seat, None)

    def make(tx: Transaction[MemorySession], memory: Any) -> Runtime:
        return Runtime(Rows(tx.session.table("seats")), Noted(memory), tx.due)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Memory]:
        yield Memory()

    return desk.bind(make, store=MemoryStore("seats"), resources=opened)


@define
class Seats:
    """The same rules over plain data: seats, when they are let go, and those that were."""

    rows: dict[SeatId, str] = field(factory=dict)
    until: list[tuple[datetime, SeatId]] = field(factory=list)
    gone: list[SeatId] = field(factory=list)

    def apply(self, message: Any, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Handle one command."""
        match message:
            case Hold(seat):
                if seat in self.rows:
                    return Failed(NotFree(seat))
                self.rows[seat] = "held"
                self.until.append((drawn.now() + HELD, seat))
                return Succeeded(DueId(str(drawn.uuid())))
            case Buy(seat):
                if self.rows.get(seat) != "held":
                    return Failed(NotHeld(seat))
                self.rows[seat] = "bought"
                return Succeeded(sum(how == "bought" for how in self.rows.values()))
        raise TypeError(message)

    def passes(self, now: datetime, drawn: Drawn) -> None:
        """Let go of what was held too long."""
        for at, seat in sorted(self.until):
            if at <= now:
                self.until.remove((at, seat))
                if self.rows[seat] == "held":
                    del self.rows[seat]
                    self.gone.append(seat)
