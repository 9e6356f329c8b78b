"""A shop that ships parcels, with a real bug in it: an order of no weight divides by nothing.

`orders` takes orders, `shipping` hears of them, asks a tariff and keeps a parcel. The story copies this file, so that
it can mend it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any, Never, NewType, Protocol, TypeAlias

import anyio
from attrs import frozen
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
    Schedule,
    Topic,
    Transaction,
    integration_event,
    operation,
    publish,
)
from effect_runtime.integration import Redacted
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.transports import InProcess

Email = NewType("Email", str)


class OrderEvents(Topic, name="orders"):
    """What the shop tells the world."""

    __slots__ = ()


@frozen
@integration_event("orders.order-placed", key="order")
class OrderPlaced(OrderEvents):
    """Somebody has ordered something."""

    order: str
    zone: str
    grams: int
    email: Email
    card: Redacted[str]


@frozen
class OrdersRuntime:
    """What taking orders may use."""

    outbox: Outbox[OrderEvents]


@frozen
class PlaceOrder:
    """Order something."""

    order: str
    zone: str
    grams: int


orders = Context("orders", OrdersRuntime, publishes=[OrderEvents])


@orders.command(access="public")
def place_order(command: PlaceOrder) -> Do[None, Never, OrdersRuntime]:
    """Take an order and tell the world."""
    yield from publish(OrderPlaced(command.order, command.zone, command.grams, Email("ann@example.org"), "4111"))


@frozen
class ZoneUnknown:
    """We do not ship there."""

    zone: str


@frozen
class Tariff:
    """What a parcel costs, and who pays."""

    base: int
    per_gram: int
    payer: Email


class Tariffs(Protocol):
    """What parcels cost."""

    def get(self, zone: str) -> Eff[Tariff, ZoneUnknown]:
        """Read the tariff of a zone."""
        ...


class Parcels(Protocol):
    """What is on its way."""

    def keep(self, order: str, price: int) -> Eff[None]:
        """Keep a parcel."""
        ...


@frozen
class ShippingRuntime:
    """What shipping may use."""

    tariffs: Tariffs
    parcels: Parcels


Shipping: TypeAlias = Do[A, E, ShippingRuntime]
shipping = Context("shipping", ShippingRuntime)


@frozen
class ShipOrder:
    """Send a parcel."""

    order: str
    zone: str
    grams: int


@shipping.command(access="internal")
def ship_order(command: ShipOrder) -> Shipping[None, ZoneUnknown]:
    """Ask what it costs, and keep it."""
    rt = yield from shipping.runtime
    tariff = yield from rt.tariffs.get(command.zone)
    price = tariff.base + tariff.per_gram * 1000 // command.grams
    yield from rt.parcels.keep(command.order, price)


order_events = shipping.subscribe(OrderEvents, id="shipping.orders", start="earliest", schedule=Schedule().times(1))


@order_events.on(OrderPlaced, dead_letter=(ZoneUnknown,))
def ship_what_was_ordered(event: OrderPlaced) -> Shipping[None, ZoneUnknown | Refused]:
    """Go through our own dispatch."""
    yield from ship_order(ShipOrder(event.order, event.zone, event.grams))


MIGRATIONS = (
    Migration(
        1,
        "tariffs and parcels",
        (
            "CREATE TABLE tariff (zone TEXT PRIMARY KEY, base INTEGER NOT NULL, per_gram INTEGER NOT NULL) STRICT",
            "CREATE TABLE parcel (customer_order TEXT PRIMARY KEY, price INTEGER NOT NULL) STRICT",
            "INSERT INTO tariff VALUES ('home', 300, 2)",
        ),
    ),
)


@frozen
class SqliteTariffs:
    """Tariffs in a table."""

    session: SqliteSession

    @operation(kind="transactional")
    async def get(self, zone: str) -> Result[Tariff, ZoneUnknown]:
        """Read the tariff of a zone."""
        row = await self.session.fetch_one("SELECT base, per_gram FROM tariff WHERE zone = ?", (zone,))
        return Failure(ZoneUnknown(zone)) if row is None else Success(Tariff(row[0], row[1], Email("till@example.org")))


@frozen
class SqliteParcels:
    """Parcels in a table."""

    session: SqliteSession

    @operation(kind="transactional")
    async def keep(self, order: str, price: int) -> None:
        """Keep a parcel."""
        await self.session.execute("INSERT INTO parcel VALUES (?, ?)", (order, price))


def make_orders(tx: Transaction[SqliteSession]) -> OrdersRuntime:
    """Build what taking one order may use."""
    return OrdersRuntime(tx.outbox)


def make_shipping(tx: Transaction[SqliteSession]) -> ShippingRuntime:
    """Build what sending one parcel may use."""
    return ShippingRuntime(SqliteTariffs(tx.session), SqliteParcels(tx.session))


def shop(folder: Path) -> App:
    """Describe the shop over two files in `folder`."""
    return App(
        "shop",
        wire=InProcess(),
        redact=[Email],
        diagnostics=lambda _: None,
        contexts=[
            orders.bind(make_orders, store=SqliteStore(folder / "orders.db")),
            shipping.bind(make_shipping, store=SqliteStore(folder / "shipping.db", migrations=MIGRATIONS)),
        ],
    )


async def order(app: App) -> None:
    """Order something that weighs nothing, to the zone that the command line names."""
    await app.run(place_order(PlaceOrder("o-1", sys.argv[2], 0)))
    await app.settled()


async def reproduce(app: App) -> None:
    """Make the first dead letter a test."""
    [letter] = await app.dead_letters.list()
    print(await app.dead_letters.reproduce(letter.id, to=Path("test_letter.py")))


async def replay(app: App) -> None:
    """Try the dead letters again, and say which are open."""
    for letter in await app.dead_letters.list():
        await app.dead_letters.replay(letter.id)
    await app.settled()
    print("open:", len(await app.dead_letters.list()))


async def main(step: Callable[[App], Coroutine[Any, Any, None]]) -> None:
    """Take one step in the folder where we are."""
    app = shop(Path())
    async with app.running():
        await step(app)


STEPS = {"order": order, "reproduce": reproduce, "replay": replay}

if __name__ == "__main__":
    parcels = import_module("parcels")  # under its own name, as a server would: nobody can import `__main__`
    anyio.run(parcels.main, parcels.STEPS[sys.argv[1]])
