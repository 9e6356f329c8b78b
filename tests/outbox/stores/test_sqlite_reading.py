"""Reading: short and long queries, and claims that look at the heads of a backlog only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest
from attrs import define, field

from effect_runtime.dispatch import AgendaItem, Ledger
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite import _agenda, _inbox, _lanes
from effect_runtime.outbox.sqlite._moment import micros, moment
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import (
    CATALOG,
    LEASE,
    NOON,
    NOTHING,
    CountingEntropy,
    ManualTime,
    an_event,
    claim,
    publish,
    put,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio

P = ParamSpec("P")
T = TypeVar("T")
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) FROM n"


@define
class InThisThread:
    """Calls everything here and remembers how often a thread was asked for."""

    offloaded: int = field(default=0)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call at once."""
        return function(*args, **kwargs)

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call at once, and count."""
        self.offloaded += 1
        return function(*args, **kwargs)


async def test_a_long_read_moves_to_a_thread_and_a_short_one_does_not(tmp_path: Path) -> None:
    """Design: long reads go to a thread; nobody has to say which they are, and the answer is whole."""
    blocking = InThisThread()
    host = Host(time=ManualTime(), entropy=CountingEntropy(), blocking=blocking)
    async with sqlite_store(tmp_path).opened(host) as store, store.reading() as session:
        before = blocking.offloaded
        short = await session.fetch_one(COUNT, (100,))
        after_short = blocking.offloaded
        long = await session.fetch_one(COUNT, (200_000,))
        again = await session.fetch_one(COUNT, (100,))
        assert [tuple(row) for row in (short, long, again) if row is not None] == [(100,), (200_000,), (100,)]
        assert (after_short - before, blocking.offloaded - after_short) == (0, 1)


async def test_a_long_read_keeps_its_snapshot(sqlite: OpenSqlite) -> None:
    """UnitStore.reading: begun again on a thread, it still sees what it saw."""
    async with sqlite.reading() as session:
        async with sqlite.unit() as unit:
            await put(unit.session, "late", "1")
            await unit.commit(NOTHING)
        rows = await session.fetch_all(COUNT.replace("FROM n", "+ (SELECT count(*) FROM rows) FROM n", 2), (200_000,))
        again = await session.fetch_one("SELECT count(*) FROM rows")
    assert [tuple(row) for row in rows] == [(200_000,)]
    assert again is not None
    assert tuple(again) == (0,)


async def test_rows_unpack_and_answer_by_name(sqlite: OpenSqlite) -> None:
    """SqliteSession: counts for what changes, rows for what is read, RETURNING included."""
    async with sqlite.unit() as unit:
        session = unit.session
        assert await session.execute("INSERT INTO rows VALUES (?, ?)", ("a", "1")) == 1
        assert await session.execute_many("INSERT INTO rows VALUES (?, ?)", [("b", "2"), ("c", "3")]) == 2
        row = await session.fetch_one("UPDATE rows SET value = :new WHERE key = 'a' RETURNING key, value", {"new": "9"})
        assert row is not None
        key, value = row
        assert (key, value, row["value"]) == ("a", "9", "9")
        assert await session.fetch_one("SELECT * FROM rows WHERE key = 'z'") is None
        assert [tuple(row) for row in await session.fetch_all("SELECT * FROM rows ORDER BY key")] == [
            ("a", "9"),
            ("b", "2"),
            ("c", "3"),
        ]


def plan(connection: sqlite3.Connection, statement: str, *values: Any, **named: Any) -> list[str]:
    """Return how SQLite means to run a statement: a line for each search, scan and sort."""
    lines = connection.execute(f"EXPLAIN QUERY PLAN {statement}", named or values).fetchall()
    return [line[3].replace("COVERING ", "") for line in lines]


async def test_claims_search_an_index_of_the_heads(sqlite: OpenSqlite) -> None:
    """RelayStore.claim: no scan, no sorting."""
    plans = [
        plan(sqlite._probe, _lanes.DUE, "catalog", 0, 10),
        plan(sqlite._probe, _lanes.NEXT_DUE, "catalog"),
        plan(sqlite._probe, _lanes.LINE, "loans", "k", 0, 10),
        plan(sqlite._probe, _inbox.DUE, "catalog.loans", 0, 10),
    ]
    assert plans == [
        ["SEARCH er_lane USING INDEX er_lane_due (destination=? AND due<?)"],
        ["SEARCH er_lane USING INDEX er_lane_due (destination=?)"],
        ["SEARCH er_outbox USING INDEX er_outbox_line (topic=? AND key=? AND sequence>?)"],
        ["SEARCH er_waiting USING INDEX er_waiting_due (subscription=? AND due>? AND due<?)"],
    ]


def steps(connection: sqlite3.Connection, run: Callable[[], object]) -> int:
    """Count the steps that SQLite's virtual machine takes."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(count, 1)
    run()
    connection.set_progress_handler(None, 0)
    return counted


async def test_the_agenda_searches_indexes_only(sqlite: OpenSqlite) -> None:
    """AgendaStore: claims, due times, lane successors and listings scan and sort nothing."""
    plans = [
        plan(sqlite._probe, _agenda.DUE, "notify", 0, 10),
        plan(sqlite._probe, _agenda.NEXT_DUE, "notify"),
        plan(sqlite._probe, _agenda.HEAD, "notify", "k"),
        plan(sqlite._probe, _agenda.BY_ID, "i-1"),
        plan(sqlite._probe, _agenda.LIST, "notify", 7, 10),
    ]
    assert plans == [
        ["SEARCH er_agenda USING INDEX er_agenda_due (reaction=? AND due>? AND due<?)"],
        ["SEARCH er_agenda USING INDEX er_agenda_due (reaction=? AND due>?)"],
        ["SEARCH er_agenda USING INDEX er_agenda_lane (reaction=? AND lane=?)"],
        ["SEARCH er_agenda USING INDEX sqlite_autoindex_er_agenda_1 (id=?)"],
        ["SEARCH er_agenda USING INDEX er_agenda_reaction (reaction=? AND rowid>?)"],
    ]


async def test_the_agenda_takes_as_many_steps_before_a_long_backlog_as_before_a_short_one(sqlite: OpenSqlite) -> None:
    """AgendaStore, Agenda: adding, claiming and ending, however many items wait beside and behind."""
    connection = sqlite._writer.connection
    lent: Any = {"lease": LEASE, "now": NOON}
    taken = []
    for round, many in enumerate((200, 5_000)):
        items = [AgendaItem(reaction="notify", envelope=an_event(f"u-{round}-{n}", None)) for n in range(many)]
        items += [AgendaItem(reaction="notify", envelope=an_event(f"k-{round}-{n}", "long")) for n in range(many)]
        last = AgendaItem(reaction="notify", envelope=an_event(f"last-{round}", "long"))
        async with sqlite.unit() as unit:
            await unit.commit(Ledger(agenda=tuple(items)))
        async with sqlite.unit() as unit:
            await unit.begin()
            taken.append(
                (
                    steps(connection, partial(_agenda.claim, connection, ["notify"], owner="w", limit=20, **lent)),
                    steps(connection, partial(_agenda.add, connection, [last], NOON)),
                    steps(connection, partial(_agenda.cancel, connection, "k-0-0", NOON)),
                    steps(connection, partial(_agenda.next_due, connection, ["notify"])),
                    steps(connection, partial(_agenda.reactions, connection)),
                )
            )
    assert taken[0] == taken[1]


async def test_a_claim_takes_as_many_steps_before_a_long_backlog_as_before_a_short_one(sqlite: OpenSqlite) -> None:
    """RelayStore.claim: heads only, however many lanes and events wait behind them."""
    await sqlite.register([CATALOG])
    connection = sqlite._probe
    taken = []
    for round in range(2):
        events = [an_event(f"u-{round}-{number}", None) for number in range(50 if round == 0 else 5_000)]
        events += [an_event(f"k-{round}-{number}", "one long line") for number in range(len(events))]
        await publish(sqlite, *events)
        taken.append(steps(connection, lambda: _lanes.due_lanes(connection, ["catalog"], limit=20, now=NOON)))
    assert taken[0] == taken[1]
    assert [len(claimed.envelopes) for claimed in await claim(sqlite, lanes=3, events=5)] == [1, 1, 1]


def test_moments_survive_storage_to_the_microsecond() -> None:
    """Times are whole microseconds since 1970 in UTC, before 1970 too."""
    odd = NOON + timedelta(microseconds=123_457)
    early = moment(-1)
    assert (moment(micros(odd)), micros(early), early < moment(0)) == (odd, -1, True)


async def test_many_short_reads_never_add_up_to_a_long_one(tmp_path: Path) -> None:
    """A statement's steps are counted over all its runs: beginning a snapshot must never be stopped by them."""
    host = Host(time=ManualTime(), entropy=CountingEntropy(), blocking=InThisThread())
    async with sqlite_store(tmp_path).opened(host) as store:
        for _ in range(4_000):
            async with store.reading() as session:
                pass
        async with store.reading() as session:
            row = await session.fetch_one(COUNT, (100,))
    assert row is not None
    assert tuple(row) == (100,)


async def test_a_snapshot_that_outlives_its_store_leaves_no_connection_open(tmp_path: Path) -> None:
    """Closing leaves it what it reads on; the connection is closed as soon as nobody reads any more."""
    async with AsyncExitStack() as stack:
        async with sqlite_store(tmp_path).opened(still_host()) as store:
            session = await stack.enter_async_context(store.reading())
        row = await session.fetch_one(COUNT, (100,))
        assert row is not None
        connection = session._runs._reader.connection  # type: ignore[attr-defined]  # the snapshot's own reader
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
