"""The durable command in this library: one business row and one event, and a subscriber with a file of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter_ns
from typing import Protocol, TypeAlias
from uuid import uuid4

from attrs import frozen

from benchmarks._handwritten import BOOKS, CALLERS, commands_a_second, folder, paced, percentile
from effect_runtime import (
    A,
    App,
    Context,
    Do,
    E,
    Eff,
    Events,
    Outbox,
    Refused,
    Topic,
    Transaction,
    integration_event,
    operation,
    publish,
)
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.runtime import Ids
from effect_runtime.transports import InProcess

LENDING_TABLES = Migration(
    1,
    "loans",
    ("create table loan (id text primary key, patron integer not null, book integer not null) without rowid",),
)
CATALOG_TABLES = Migration(
    1, "books on loan", ("create table on_loan (book integer primary key, copies integer not null)",)
)

COMMITTED = "select (select count(*) from loan), (select sum(last) from er_sequence), (select count(*) from er_outbox)"


class LendingEvents(Topic, name="lending"):
    """What lending tells the world."""

    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", key="book")
class BookBorrowed(LendingEvents):
    """A copy has left the house."""

    book: int
    patron: int
    loan: str


class Loans(Protocol):
    """Lending's port."""

    def start(self, loan: str, patron: int, book: int) -> Eff[None]:
        """Write a new loan."""
        ...


@frozen
class SqliteLoans:
    """Lending's adapter: the one business row."""

    session: SqliteSession

    @operation(kind="transactional")
    async def start(self, loan: str, patron: int, book: int) -> None:
        """Write a new loan."""
        await self.session.execute("insert into loan values (?, ?, ?)", (loan, patron, book))


class Holdings(Protocol):
    """The catalog's port."""

    def lent(self, book: int) -> Eff[None]:
        """Count one more copy on loan."""
        ...


@frozen
class SqliteHoldings:
    """The catalog's adapter."""

    session: SqliteSession

    @operation(kind="transactional")
    async def lent(self, book: int) -> None:
        """Count one more copy on loan."""
        statement = "insert into on_loan values (?, 1) on conflict (book) do update set copies = copies + 1"
        await self.session.execute(statement, (book,))


@frozen
class LendingRuntime:
    """What one command of lending may use."""

    loans: Loans
    ids: Ids
    events: Events
    outbox: Outbox[LendingEvents]


@frozen
class CatalogRuntime:
    """What one command of the catalog may use; `arrived` keeps the time, for the measurement."""

    holdings: Holdings
    arrived: Callable[[], None]


lending = Context("lending", LendingRuntime, publishes=[LendingEvents])
catalog = Context("catalog", CatalogRuntime)
Lending: TypeAlias = Do[A, E, LendingRuntime]
Catalog: TypeAlias = Do[A, E, CatalogRuntime]
lending_events = catalog.subscribe(LendingEvents, id="catalog.lending-events", start="earliest")


@frozen
class BorrowBook:
    """Take a book home."""

    patron: int
    book: int


@frozen
class CountLent:
    """Believe lending."""

    book: int


@lending.command(access="public")
def borrow_book(command: BorrowBook) -> Lending[str]:
    """Write the loan and tell the world."""
    rt = yield from lending.runtime
    loan = str((yield from rt.ids.uuid()))
    yield from rt.loans.start(loan, command.patron, command.book)
    yield from publish(BookBorrowed(command.book, command.patron, loan))
    return loan


@catalog.command(access="internal")
def count_lent(command: CountLent) -> Catalog[None]:
    """Count one more copy on loan."""
    rt = yield from catalog.runtime
    yield from rt.holdings.lent(command.book)


@lending_events.on(BookBorrowed)
def follow(event: BookBorrowed) -> Catalog[None, Refused]:
    """Count what lending lent, through dispatch."""
    (yield from catalog.runtime).arrived()
    yield from count_lent(CountLent(event.book))


def make_lending(tx: Transaction[SqliteSession]) -> LendingRuntime:
    """Build lending's runtime."""
    return LendingRuntime(SqliteLoans(tx.session), tx.ids, tx.events, tx.outbox)


def library(beneath: Path, arrived: Callable[[], None]) -> App:
    """Describe both contexts, each with a file of its own."""

    def make_catalog(tx: Transaction[SqliteSession]) -> CatalogRuntime:
        return CatalogRuntime(SqliteHoldings(tx.session), arrived)

    return App(
        "library",
        wire=InProcess(),
        contexts=[
            lending.bind(make_lending, store=SqliteStore(beneath / "lending.db", migrations=(LENDING_TABLES,))),
            catalog.bind(make_catalog, store=SqliteStore(beneath / "catalog.db", migrations=(CATALOG_TABLES,))),
        ],
    )


def measure_sequential(count: int) -> tuple[float, object]:
    """Count commands a second, one caller."""
    return _rate(count, callers=1)


def measure_concurrent(count: int) -> tuple[float, object]:
    """Count commands a second, `CALLERS` callers."""
    return _rate(count, callers=CALLERS)


def _rate(count: int, *, callers: int) -> tuple[float, object]:
    """Commit only: relay and consumers would run in a process of their own. The lanes that they read are written.

    By hand the row for each destination is written, too: without it no promise about a second subscriber can be kept.
    """

    async def measured(beneath: Path) -> float:
        app = library(beneath, lambda: None)

        async def send(number: int) -> None:
            await app.run(borrow_book(BorrowBook(number, number % BOOKS)), command_id=str(uuid4()))

        async with app.running(relay=False, consumers=False):
            return await commands_a_second(send, count, callers=callers)

    with folder() as beneath:
        rate = asyncio.run(measured(beneath))
        loans, numbered, events = _row(beneath / "lending.db", COMMITTED)
        return rate, [loans, events if numbered == events else numbered]


def measure_p50(count: int) -> tuple[float, object]:
    """Give the median milliseconds from sending a command to its subscriber, idle system."""
    return _latency(count, 0.50)


def measure_p99(count: int) -> tuple[float, object]:
    """Give the 99th percentile of the milliseconds from sending a command to its subscriber, idle system."""
    return _latency(count, 0.99)


def _latency(count: int, share: float) -> tuple[float, object]:
    async def measured(beneath: Path) -> list[float]:
        arrived: asyncio.Queue[int] = asyncio.Queue()
        app = library(beneath, lambda: arrived.put_nowait(perf_counter_ns()))

        async def send(number: int) -> None:
            await app.run(borrow_book(BorrowBook(number, number % BOOKS)), command_id=str(uuid4()))

        async with app.running():
            return await paced(send, arrived, count)

    with folder() as beneath:
        milliseconds = asyncio.run(measured(beneath))
        (applied,) = _row(beneath / "catalog.db", "select sum(copies) from on_loan")
        return percentile(milliseconds, share), applied


def _row(path: Path, query: str) -> tuple[int, ...]:
    with closing(sqlite3.connect(path)) as connection:
        row: tuple[int, ...] = connection.execute(query).fetchone()
        return row
