"""The process manager of the guide "a hold expires", with all that it hears: a desk, a web page, and a clock.

A copy that is set aside waits for its patron for three days. Whatever comes first ends the waiting: the patron collects
it, withdraws the hold on the web page, or the days are over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Never, NewType, Protocol, TypeAlias

from attrs import evolve, frozen
from returns.result import Failure, Result, Success

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    E,
    Eff,
    Outbox,
    Refused,
    Topic,
    Transaction,
    from_result,
    integration_event,
    operation,
    publish,
)
from effect_runtime.dispatch import Due, DueId, cancel_due, send_later, stored
from effect_runtime.errors import StoreConflict
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore

HoldId = NewType("HoldId", str)
PATIENCE = timedelta(days=3)


class DeskEvents(Topic, name="scenario.desk"):
    """What the desk tells the world."""

    __slots__ = ()


@frozen
@integration_event("scenario.desk.copy-set-aside", key="hold_id")
class CopySetAside(DeskEvents):
    """A copy waits for its patron."""

    hold_id: HoldId


@frozen
@integration_event("scenario.desk.copy-collected", key="hold_id")
class CopyCollected(DeskEvents):
    """The patron has it."""

    hold_id: HoldId


class WebEvents(Topic, name="scenario.web"):
    """What the web page tells the world."""

    __slots__ = ()


@frozen
@integration_event("scenario.web.hold-withdrawn", key="hold_id")
class HoldWithdrawn(WebEvents):
    """The patron does not want it any more."""

    hold_id: HoldId


class PickupEvents(Topic, name="scenario.pickups"):
    """What the process manager tells the world."""

    __slots__ = ()


@frozen
@integration_event("scenario.pickups.hold-expired", key="hold_id")
class HoldExpired(PickupEvents):
    """Nobody came: the copy is the next one's."""

    hold_id: HoldId


class Offers(Protocol):
    """The copies that were offered to the next in line."""

    def add(self, hold_id: HoldId) -> Eff[None]:
        """Write down an offer."""
        ...


@frozen
class DeskRuntime:
    """What the desk may use."""

    offers: Offers
    outbox: Outbox[DeskEvents]


@frozen
class WebRuntime:
    """What the web page may use."""

    outbox: Outbox[WebEvents]


desk = Context("desk", DeskRuntime, publishes=[DeskEvents])
web = Context("web", WebRuntime, publishes=[WebEvents])


@frozen
class SetAside:
    """Put a copy on the shelf beside the desk."""

    hold_id: HoldId


@frozen
class Collect:
    """Hand the copy to its patron."""

    hold_id: HoldId


@frozen
class Withdraw:
    """Do without the copy."""

    hold_id: HoldId


@desk.command(access="public")
def set_aside(command: SetAside) -> Do[None, Never, DeskRuntime]:
    """Tell that a copy waits."""
    yield from publish(CopySetAside(command.hold_id))


@desk.command(access="public")
def collect(command: Collect) -> Do[None, Never, DeskRuntime]:
    """Tell that the patron came."""
    yield from publish(CopyCollected(command.hold_id))


@frozen
class OfferNext:
    """Offer the copy of an expired hold to the next in line."""

    hold_id: HoldId


@desk.command(access="internal")
def offer_next(command: OfferNext) -> Do[None, Never, DeskRuntime]:
    """Write down the offer."""
    rt = yield from desk.runtime
    yield from rt.offers.add(command.hold_id)


pickup_events = desk.subscribe(PickupEvents, id="scenario.desk.pickups", start="earliest")


@pickup_events.on(HoldExpired)
def on_expired(event: HoldExpired) -> Do[None, Refused, DeskRuntime]:
    """Go on with the next in line."""
    yield from offer_next(OfferNext(event.hold_id))


@web.command(access="public")
def withdraw(command: Withdraw) -> Do[None, Never, WebRuntime]:
    """Tell that the patron will not come."""
    yield from publish(HoldWithdrawn(command.hold_id))


class State(Enum):
    """Where a pickup stands."""

    WAITING = "waiting"
    COLLECTED = "collected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


NEXT: Mapping[State, frozenset[State]] = {
    State.WAITING: frozenset({State.COLLECTED, State.WITHDRAWN, State.EXPIRED}),
    State.COLLECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.EXPIRED: frozenset(),
}


@frozen
class Pickup:
    """The state row of one instance: a version for each step, and the due command that ends it."""

    hold_id: HoldId
    state: State
    version: int
    timeout: DueId


@frozen
class PickupUnknown:
    """No copy was set aside for this hold, as far as we have heard."""

    hold_id: HoldId


@frozen
class TooLate:
    """The pickup has ended already."""

    hold_id: HoldId
    state: State


def move(pickup: Pickup, state: State) -> Result[Pickup, TooLate]:
    """Decide the next version of a pickup."""
    if state not in NEXT[pickup.state]:
        return Failure(TooLate(pickup.hold_id, pickup.state))
    return Success(evolve(pickup, state=state, version=pickup.version + 1))


class Pickups(Protocol):
    """The state rows.

    1. `save` writes version n + 1 over version n, and over nothing else.
    """

    def get(self, hold_id: HoldId) -> Eff[Pickup, PickupUnknown]:
        """Read a pickup."""
        ...

    def add(self, pickup: Pickup) -> Eff[None]:
        """Write the first version."""
        ...

    def save(self, pickup: Pickup) -> Eff[None]:
        """Write the next version."""
        ...


@frozen
class PickupsRuntime:
    """What the process manager may use."""

    pickups: Pickups
    due: Due
    outbox: Outbox[PickupEvents]


pickups = Context("pickups", PickupsRuntime, publishes=[PickupEvents])
Process: TypeAlias = Do[A, E, PickupsRuntime]


@frozen
class StartPickup:
    """Begin to wait."""

    hold_id: HoldId


@frozen
class EndPickup:
    """Wait no longer."""

    hold_id: HoldId
    state: State


@frozen
@stored("scenario.pickups.expire")
class ExpirePickup:
    """See whether the patron came."""

    hold_id: HoldId


@pickups.command(access="internal")
def start_pickup(command: StartPickup) -> Process[None]:
    """Write the first version, and the timeout, in one transaction."""
    rt = yield from pickups.runtime
    timeout = yield from send_later(ExpirePickup(command.hold_id), due=PATIENCE)
    yield from rt.pickups.add(Pickup(command.hold_id, State.WAITING, 1, timeout))


@pickups.command(access="internal")
def end_pickup(command: EndPickup) -> Process[None, PickupUnknown | TooLate]:
    """Write the last version and take the timeout back."""
    rt = yield from pickups.runtime
    pickup = yield from rt.pickups.get(command.hold_id)
    ended = yield from from_result(move(pickup, command.state))
    yield from rt.pickups.save(ended)
    yield from cancel_due(pickup.timeout)


@pickups.command(access="internal")
def expire_pickup(command: ExpirePickup) -> Process[bool, PickupUnknown]:
    """Give the copy to the next one, unless the pickup has ended: then the timeout is late, and that is no news."""
    rt = yield from pickups.runtime
    pickup = yield from rt.pickups.get(command.hold_id)
    match move(pickup, State.EXPIRED):
        case Success(expired):
            yield from rt.pickups.save(expired)
            yield from publish(HoldExpired(expired.hold_id))
            return True
        case _:
            return False


desk_events = pickups.subscribe(DeskEvents, id="scenario.pickups.desk", start="earliest")
web_events = pickups.subscribe(WebEvents, id="scenario.pickups.web", start="earliest")


@desk_events.on(CopySetAside)
def on_set_aside(event: CopySetAside) -> Process[None, Refused]:
    """Begin."""
    yield from start_pickup(StartPickup(event.hold_id))


@desk_events.on(CopyCollected, retry=(PickupUnknown,), ignore=(TooLate,))
def on_collected(event: CopyCollected) -> Process[None, PickupUnknown | TooLate | Refused]:
    """End: the patron has it."""
    yield from end_pickup(EndPickup(event.hold_id, State.COLLECTED))


@web_events.on(HoldWithdrawn, retry=(PickupUnknown,), ignore=(TooLate,))
def on_withdrawn(event: HoldWithdrawn) -> Process[None, PickupUnknown | TooLate | Refused]:
    """End: the patron does not want it."""
    yield from end_pickup(EndPickup(event.hold_id, State.WITHDRAWN))


OFFERS = (Migration(1, "offers", ("CREATE TABLE offer (hold_id TEXT NOT NULL) STRICT",)),)
MIGRATIONS = (
    Migration(
        1,
        "pickups",
        (
            """CREATE TABLE pickup (
                hold_id TEXT PRIMARY KEY,
                state TEXT NOT NULL,
                version INTEGER NOT NULL,
                timeout TEXT NOT NULL
            ) STRICT""",
            """CREATE TABLE step (
                hold_id TEXT NOT NULL,
                version INTEGER NOT NULL,
                state TEXT NOT NULL,
                PRIMARY KEY (hold_id, version)
            ) STRICT""",
        ),
    ),
)


@frozen
class SqliteOffers:
    """Offers in the table `offer`, as often as they were made."""

    session: SqliteSession

    @operation(kind="transactional")
    async def add(self, hold_id: HoldId) -> None:
        """Write down an offer."""
        await self.session.execute("INSERT INTO offer VALUES (?)", (hold_id,))


@frozen
class SqlitePickups:
    """State rows in the table `pickup`; every version that there ever was stays in `step`."""

    session: SqliteSession

    @operation(kind="transactional")
    async def get(self, hold_id: HoldId) -> Result[Pickup, PickupUnknown]:
        """Read a pickup."""
        row = await self.session.fetch_one("SELECT state, version, timeout FROM pickup WHERE hold_id = ?", (hold_id,))
        return Failure(PickupUnknown(hold_id)) if row is None else Success(Pickup(hold_id, State(row[0]), *row[1:]))

    @operation(kind="transactional")
    async def add(self, pickup: Pickup) -> None:
        """Write the first version."""
        row = (pickup.hold_id, pickup.state.value, pickup.version, pickup.timeout)
        await self.session.execute("INSERT INTO pickup VALUES (?, ?, ?, ?)", row)
        await self._step(pickup)

    @operation(kind="transactional")
    async def save(self, pickup: Pickup) -> None:
        """Write the next version."""
        written = await self.session.execute(
            "UPDATE pickup SET state = ?, version = ? WHERE hold_id = ? AND version = ?",
            (pickup.state.value, pickup.version, pickup.hold_id, pickup.version - 1),
        )
        if not written:
            raise StoreConflict("pickups", reason=f"pickup {pickup.hold_id} has moved on from {pickup.version - 1}")
        await self._step(pickup)

    async def _step(self, pickup: Pickup) -> None:
        row = (pickup.hold_id, pickup.version, pickup.state.value)
        await self.session.execute("INSERT INTO step VALUES (?, ?, ?)", row)


def make_desk(tx: Transaction[SqliteSession]) -> DeskRuntime:
    """Build what one command of the desk may use."""
    return DeskRuntime(SqliteOffers(tx.session), tx.outbox)


def make_web(tx: Transaction[SqliteSession]) -> WebRuntime:
    """Build what one command of the web page may use."""
    return WebRuntime(tx.outbox)


def make_pickups(tx: Transaction[SqliteSession]) -> PickupsRuntime:
    """Build what one step of the process may use."""
    return PickupsRuntime(SqlitePickups(tx.session), tx.due, tx.outbox)


def pickup_app(folder: Path, wire: Transport, host: Host | None = None) -> App:
    """Describe the three contexts over files in `folder`; several apps may share them."""
    return App(
        "pickups",
        wire=wire,
        host=host,
        diagnostics=lambda _: None,
        contexts=[
            desk.bind(make_desk, store=SqliteStore(folder / "desk.db", migrations=OFFERS)),
            web.bind(make_web, store=SqliteStore(folder / "web.db")),
            pickups.bind(make_pickups, store=SqliteStore(folder / "pickups.db", migrations=MIGRATIONS)),
        ],
    )
