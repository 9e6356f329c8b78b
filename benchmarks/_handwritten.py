"""The durable command as one would write it by hand: SQL, one transaction, nothing of this library.

The shape is the one that the library promises: the stored answer is looked up, then one transaction holds the command
id with its answer, the business row, the numbered event, a row for each destination that must accept it, and the audit
row. WAL, `synchronous=FULL`, BEGIN IMMEDIATE to COMMIT, every statement inline: no thread is crossed, no task is
switched. One fsync for each command.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, perf_counter_ns
from uuid import uuid4

CALLERS = 64
BOOKS = 100
PAUSE_SECONDS = 0.002
WARMING = 500
"""Commands before the clock starts, or half of a short run: a log that still grows is slower than one written over."""

PRAGMAS = "pragma journal_mode = wal; pragma synchronous = full;"
PUBLISHER = """
create table loan (id text primary key, patron integer not null, book integer not null) without rowid;
create table command (id text primary key, fingerprint blob not null, answer text not null) without rowid;
create table audit (id integer primary key, at text not null, command text not null, command_id text not null,
                    principal text not null, outcome text not null);
create table sequence (topic text, key text, last integer not null, primary key (topic, key)) without rowid;
create table outbox (id integer primary key, topic text not null, key text not null, sequence integer not null,
                     body text not null);
create table route (topic text, destination text, primary key (topic, destination)) without rowid;
create table delivery (destination text, event integer, primary key (destination, event)) without rowid;
insert into route values ('lending', 'catalog.lending-events');
"""
SUBSCRIBER = """
create table inbox (id text primary key, at text not null) without rowid;
create table mark (topic text, key text, last integer not null, primary key (topic, key)) without rowid;
create table on_loan (book integer primary key, copies integer not null);
"""
NEXT_NUMBER = """
insert into sequence values (?, ?, 1) on conflict (topic, key) do update set last = last + 1 returning last
"""
DELIVER = "insert into delivery select destination, ? from route where topic = ?"
WAITING = "select id, key, sequence, body from delivery join outbox on id = event where destination = ? order by event"
DELIVERED = "delete from delivery where destination = ? and event = ?"
DESTINATION = "catalog.lending-events"
COUNT_LOAN = "insert into on_loan values (?, 1) on conflict (book) do update set copies = copies + 1"
MOVE_MARK = "insert into mark values (?, ?, ?) on conflict (topic, key) do update set last = excluded.last"


@contextmanager
def folder() -> Iterator[Path]:
    """Give an empty folder on the disk that holds the project: a memory file system would make an fsync free."""
    beneath = Path(__file__).resolve().parent.parent / "build"
    beneath.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=beneath) as name:
        yield Path(name)


@contextmanager
def opened(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open a new file, durable, with a schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(PRAGMAS + schema)
        yield connection


def borrow(connection: sqlite3.Connection, command_id: str, patron: int, book: int) -> str:
    """Borrow a book: answer with the loan's id, twice the same if asked twice."""
    payload = json.dumps({"patron": patron, "book": book})
    fingerprint = sha256(b"lending.borrow-book" + payload.encode()).digest()
    stored = connection.execute("select answer from command where id = ?", (command_id,)).fetchone()
    if stored is not None:
        return str(stored[0])
    loan, now = str(uuid4()), datetime.now(UTC).isoformat()
    connection.execute("begin immediate")
    connection.execute("insert into command values (?, ?, ?)", (command_id, fingerprint, json.dumps(loan)))
    connection.execute("insert into loan values (?, ?, ?)", (loan, patron, book))
    key = str(book)
    (number,) = connection.execute(NEXT_NUMBER, ("lending", key)).fetchone()
    body = _envelope(loan, command_id, patron, book, number, now)
    event = connection.execute(
        "insert into outbox (topic, key, sequence, body) values (?, ?, ?, ?)", ("lending", key, number, body)
    ).lastrowid
    connection.execute(DELIVER, (event, "lending"))
    connection.execute(
        "insert into audit (at, command, command_id, principal, outcome) values (?, ?, ?, ?, ?)",
        (now, "lending.borrow-book", command_id, "anonymous", "succeeded"),
    )
    connection.execute("commit")
    return loan


def _envelope(loan: str, command_id: str, patron: int, book: int, number: int, now: str) -> str:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "lending",
            "type": "lending.book-borrowed",
            "time": now,
            "partitionkey": str(book),
            "sequence": number,
            "correlationid": command_id,
            "causationid": command_id,
            "datacontenttype": "application/json",
            "data": {"book": book, "patron": patron, "loan": loan},
        }
    )


def measure_sequential(count: int) -> tuple[float, object]:
    """Count commands a second, one caller."""
    return _rate(count, callers=1)


def measure_concurrent(count: int) -> tuple[float, object]:
    """Count commands a second, `CALLERS` callers, each command with an fsync of its own."""
    return _rate(count, callers=CALLERS)


def _rate(count: int, *, callers: int) -> tuple[float, object]:
    with folder() as beneath, opened(beneath / "lending.db", PUBLISHER) as connection:

        async def send(number: int) -> None:
            borrow(connection, str(uuid4()), number, number % BOOKS)

        rate = asyncio.run(commands_a_second(send, count, callers=callers))
        sums = "select (select count(*) from loan), (select sum(last) from sequence), (select count(*) from outbox)"
        loans, numbered, events = connection.execute(sums).fetchone()
        return rate, [loans, events if numbered == events else numbered]


async def commands_a_second(send: Callable[[int], Awaitable[object]], count: int, *, callers: int) -> float:
    """Send `count` commands, `WARMING` of them untimed, from so many callers; each sends its next when one is done."""
    numbers = iter(range(count))

    async def caller(until: int) -> None:
        for number in numbers:
            await send(number)
            if number >= until:
                return

    warming = min(WARMING, count // 2)
    await caller(warming - 1)
    start = perf_counter()
    await asyncio.gather(*(caller(count) for _ in range(callers)))
    return (count - warming) / (perf_counter() - start)


def measure_p50(count: int) -> tuple[float, object]:
    """Give the median milliseconds from sending a command to its subscriber, idle system."""
    return _latency(count, 0.50)


def measure_p99(count: int) -> tuple[float, object]:
    """Give the 99th percentile of the milliseconds from sending a command to its subscriber, idle system."""
    return _latency(count, 0.99)


def _latency(count: int, share: float) -> tuple[float, object]:
    with (
        folder() as beneath,
        opened(beneath / "lending.db", PUBLISHER) as lending,
        opened(beneath / "catalog.db", SUBSCRIBER) as catalog,
    ):
        milliseconds = asyncio.run(_delivered(lending, catalog, count))
        (applied,) = catalog.execute("select sum(copies) from on_loan").fetchone()
        return percentile(milliseconds, share), applied


async def _delivered(lending: sqlite3.Connection, catalog: sqlite3.Connection, count: int) -> list[float]:
    committed = asyncio.Event()
    arrived: asyncio.Queue[int] = asyncio.Queue()

    async def send(number: int) -> None:
        borrow(lending, str(uuid4()), number, number % BOOKS)
        committed.set()

    async def relay() -> None:
        while True:
            await committed.wait()
            committed.clear()
            for row, key, number, body in lending.execute(WAITING, (DESTINATION,)).fetchall():
                _apply(catalog, key, number, body, arrived)
                lending.execute(DELIVERED, (DESTINATION, row))

    relaying = asyncio.create_task(relay())
    try:
        return await paced(send, arrived, count)
    finally:
        relaying.cancel()


def _apply(catalog: sqlite3.Connection, key: str, number: int, body: str, arrived: asyncio.Queue[int]) -> None:
    """Handle one event once: inbox row, mark and effect in one transaction."""
    envelope = json.loads(body)
    catalog.execute("begin immediate")
    catalog.execute("insert into inbox values (?, ?)", (envelope["id"], datetime.now(UTC).isoformat()))
    catalog.execute(MOVE_MARK, ("lending", key, number))
    arrived.put_nowait(perf_counter_ns())
    catalog.execute(COUNT_LOAN, (envelope["data"]["book"],))
    catalog.execute("commit")


async def paced(send: Callable[[int], Awaitable[object]], arrived: asyncio.Queue[int], count: int) -> list[float]:
    """Send one command after the other into an idle system; give the milliseconds until each reached its handler."""
    milliseconds = []
    for number in range(count):
        start = perf_counter_ns()
        await send(number)
        milliseconds.append((await arrived.get() - start) / 1e6)
        await asyncio.sleep(PAUSE_SECONDS)
    return milliseconds


def percentile(figures: list[float], share: float) -> float:
    """Give the figure beneath which this share of them lies."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
