"""The outbox in SQLite: routes, lanes lent under a fenced lease, settlements.

Steps on a connection, made inside one transaction. What a settlement means is decided in `_lending`; here rows are
found by their heads and written back. Blocking; time is an argument.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from effect_runtime.errors import EventsPurged
from effect_runtime.integration import Envelope
from effect_runtime.outbox._lending import (
    LaneRow,
    alone,
    buries_head,
    dead_letter,
    is_loan_of,
    lane_of,
    reopened,
    settled,
)
from effect_runtime.outbox._ports import Claimed, DeadLetter, Lane, Route, Settlement
from effect_runtime.outbox.sqlite._letters import write_letter
from effect_runtime.outbox.sqlite._moment import maybe_moment, micros, moment
from effect_runtime.outbox.sqlite._record import ENVELOPE, history_text, stored_envelope, stored_history

_COLUMNS: Final = "destination, topic, key, event, id, last, latest, due, attempts, history, owner, token, blocked"

# With the very condition of the index `er_lane_due`: SQLite uses a partial index only where the statement implies it.
DUE: Final = (
    f"SELECT {_COLUMNS} FROM er_lane WHERE destination = ? AND latest > last AND blocked = 0 AND due <= ?"
    " ORDER BY due, id LIMIT ?"
)
LINE: Final = f"SELECT {ENVELOPE} FROM er_outbox WHERE topic = ? AND key = ? AND sequence > ? ORDER BY sequence LIMIT ?"
_ALONE: Final = f"SELECT {ENVELOPE} FROM er_outbox WHERE event = ?"
NEXT_DUE: Final = "SELECT due FROM er_lane WHERE destination = ? AND latest > last AND blocked = 0 ORDER BY due LIMIT 1"
_BY_EVENT: Final = f"SELECT {_COLUMNS} FROM er_lane WHERE destination = ? AND event = ?"
_BY_KEY: Final = f"SELECT {_COLUMNS} FROM er_lane WHERE destination = ? AND topic = ? AND key = ?"


def _row(columns: sqlite3.Row) -> LaneRow:
    destination, topic, key, event, number, last, latest, due, attempts, history, owner, token, blocked = columns
    return LaneRow(
        lane=Lane(destination, topic, key, event),
        number=number,
        last=last,
        latest=latest,
        due=moment(due),
        attempts=attempts,
        history=stored_history(history),
        owner=owner,
        token=token,
        blocked=bool(blocked),
    )


def register(connection: sqlite3.Connection, routes: Sequence[Route], now: datetime) -> None:
    """Add routes that are not known yet; an `earliest` one gets every event that is stored."""
    for route in routes:
        added = connection.execute(
            "INSERT INTO er_route(topic, destination) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (route.topic, route.destination),
        )
        # Only by whoever was first: two processes may start with the same new route.
        if added.rowcount == 1 and route.earliest:
            _expect_all(connection, route)
            _fill(connection, route, micros(now))


def _expect_all(connection: sqlite3.Connection, route: Route) -> None:
    purged = connection.execute("SELECT until FROM er_purged WHERE topic = ?", (route.topic,)).fetchone()
    if purged is not None:
        raise EventsPurged(route.destination, topic=route.topic, until=moment(purged[0]))


def unknown_routes(connection: sqlite3.Connection, routes: Sequence[Route]) -> bool:
    """Tell whether one of the routes is not known yet."""
    known = {tuple(row) for row in connection.execute("SELECT topic, destination FROM er_route")}
    return any((route.topic, route.destination) not in known for route in routes)


def _fill(connection: sqlite3.Connection, route: Route, at: int) -> None:
    """Make a lane for each key and each unkeyed event that is stored, in the order in which they first appeared."""
    connection.execute(
        "INSERT INTO er_lane(destination, topic, key, event, last, latest, due)"
        " SELECT ?, topic, key, CASE WHEN key IS NULL THEN event END AS alone,"
        " coalesce(min(sequence) - 1, 0), coalesce(max(sequence), 1), ?"
        " FROM er_outbox WHERE topic = ? GROUP BY key, alone ORDER BY min(position) ON CONFLICT DO NOTHING",
        (route.destination, at, route.topic),
    )


def due_lanes(
    connection: sqlite3.Connection, destinations: Sequence[str], *, limit: int, now: datetime
) -> list[LaneRow]:
    """Return the lanes that have been due for longest. Reads the heads only, however long the backlog is."""
    rows: list[LaneRow] = []
    for destination in dict.fromkeys(destinations):
        rows.extend(_row(columns) for columns in connection.execute(DUE, (destination, micros(now), limit)))
    rows.sort(key=lambda row: (row.due, row.number))
    return rows[:limit]


def claim(
    connection: sqlite3.Connection,
    destinations: Sequence[str],
    *,
    owner: str,
    lanes: int,
    events: int,
    lease: timedelta,
    now: datetime,
) -> tuple[Claimed, ...]:
    """Lend due lanes with their next events."""
    rows = due_lanes(connection, destinations, limit=lanes, now=now)
    # Written over `due`, so that the end of the lease is found by the same index as everything else that is due.
    until = micros(now + lease)
    connection.executemany(
        "UPDATE er_lane SET owner = ?, token = token + 1, due = ? WHERE id = ?",
        [(owner, until, row.number) for row in rows],
    )
    return tuple(
        Claimed(
            lane=row.lane,
            token=row.token + 1,
            attempts=row.attempts,
            envelopes=_waiting_events(connection, row, events),
        )
        for row in rows
    )


def _waiting_events(connection: sqlite3.Connection, row: LaneRow, limit: int) -> tuple[Envelope, ...]:
    lane = row.lane
    if lane.key is None:
        found = connection.execute(_ALONE, (lane.event,))
    else:
        found = connection.execute(LINE, (lane.topic, lane.key, row.last, limit))
    return tuple(stored_envelope(columns) for columns in found)


def settle(connection: sqlite3.Connection, settlement: Settlement, *, letter: str, now: datetime) -> bool:
    """Record one outcome; False when it is stale. `letter`: the id of a dead letter, if it makes one."""
    row = _find(connection, settlement.lane)
    if row is None or not is_loan_of(row, settlement):
        return False
    buried = buries_head(row, settlement)
    if buried is not None:
        head = _waiting_events(connection, buried, 1)[0]
        written = dead_letter(buried, head, error=settlement.error, block=settlement.block, id=letter, now=now)
        write_letter(connection, written)
    _put(connection, settled(row, settlement, now=now))
    return True


def _find(connection: sqlite3.Connection, lane: Lane) -> LaneRow | None:
    if lane.key is None:
        found = connection.execute(_BY_EVENT, (lane.destination, lane.event))
    else:
        found = connection.execute(_BY_KEY, (lane.destination, lane.topic, lane.key))
    columns = found.fetchone()
    return None if columns is None else _row(columns)


def _put(connection: sqlite3.Connection, row: LaneRow) -> None:
    if row.has_ended:
        connection.execute("DELETE FROM er_lane WHERE id = ?", (row.number,))
        return
    connection.execute(
        "UPDATE er_lane SET last = ?, due = ?, attempts = ?, history = ?, owner = ?, blocked = ? WHERE id = ?",
        (row.last, micros(row.due), row.attempts, history_text(row.history), row.owner, row.blocked, row.number),
    )


def close(connection: sqlite3.Connection, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Let the lane of a dead letter go on: with its head, due at once, or without it."""
    row = _find(connection, lane_of(letter))
    if row is not None and row.blocked:
        _put(connection, reopened(row, replay=replay, now=now))
    elif replay:
        row = alone(letter, number=0, now=now)
        connection.execute(
            "INSERT INTO er_lane(destination, topic, event, last, latest, due, token) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.lane.destination, row.lane.topic, row.lane.event, row.last, row.latest, micros(now), row.token),
        )


def next_due(connection: sqlite3.Connection, destinations: Sequence[str]) -> datetime | None:
    """Return when the next lane may be lent."""
    heads = [connection.execute(NEXT_DUE, (destination,)).fetchone() for destination in dict.fromkeys(destinations)]
    return maybe_moment(min((head[0] for head in heads if head is not None), default=None))


def backlog(connection: sqlite3.Connection, destinations: Sequence[str], *, limit: int) -> int:
    """Count events that are not accepted, up to `limit`."""
    counted = 0
    for destination in dict.fromkeys(destinations):
        for blocked in (0, 1):
            # Two searches, each over its own partial index.
            (found,) = connection.execute(
                "SELECT coalesce(sum(waiting), 0) FROM (SELECT latest - last AS waiting FROM er_lane"
                f" WHERE destination = ? AND latest > last AND blocked = {blocked} LIMIT ?)",
                (destination, limit),
            ).fetchone()
            counted += found
    return min(counted, limit)
