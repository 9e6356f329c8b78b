"""The inbox in SQLite: what each subscription has settled, what it holds back, and which keys are blocked.

Steps on a connection, made inside one transaction. Blocking; time is an argument.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from effect_runtime.outbox._inbox import replay_of
from effect_runtime.outbox._ports import Address, DeadLetter, InboxState, Waiting, WaitingReason
from effect_runtime.outbox.sqlite._letters import write_letter
from effect_runtime.outbox.sqlite._moment import maybe_micros, maybe_moment, micros, moment
from effect_runtime.outbox.sqlite._record import history_text, stored_history

_COLUMNS: Final = "subscription, event, topic, key, sequence, reason, body, since, due, attempts, history, replayed"

# `due IS NOT NULL` is the condition of its index: what waits for its turn has no time and is not in it.
DUE: Final = (
    f"SELECT {_COLUMNS} FROM er_waiting WHERE subscription = ? AND due IS NOT NULL AND due <= ?"
    " ORDER BY due, event LIMIT ?"
)

# One statement of five searches: it is asked before each delivery.
_STATE: Final = """SELECT
    EXISTS (SELECT 1 FROM er_inbox WHERE subscription = :subscription AND event = :event),
    EXISTS (SELECT 1 FROM er_waiting WHERE subscription = :subscription AND event = :event),
    (SELECT mark FROM er_mark WHERE subscription = :subscription AND topic = :topic AND key = :key),
    (SELECT blocked FROM er_mark WHERE subscription = :subscription AND topic = :topic AND key = :key),
    (SELECT count(*) FROM er_waiting
        WHERE subscription = :subscription AND topic = :topic AND key = :key AND sequence IS NOT NULL)"""


def state(connection: sqlite3.Connection, address: Address) -> InboxState:
    """Read what is known of an event and its key."""
    names = {
        "subscription": address.subscription,
        "event": address.event,
        "topic": address.topic,
        "key": address.key,
    }
    seen, held, mark, blocked, waiting = connection.execute(_STATE, names).fetchone()
    return InboxState(seen=bool(seen), held=bool(held), mark=mark, blocked=bool(blocked), waiting=waiting)


def settle(connection: sqlite3.Connection, address: Address, outcome: str, now: datetime) -> None:
    """Record that an event is done and let its successor come."""
    connection.execute(
        "INSERT INTO er_inbox(subscription, event, outcome, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (subscription, event) DO UPDATE SET outcome = excluded.outcome, at = excluded.at",
        (address.subscription, address.event, outcome, micros(now)),
    )
    drop(connection, address)
    if address.key is None or address.sequence is None:
        return
    # Never back: a letter that is discarded may stand far behind the mark.
    mark, blocked = connection.execute(
        "INSERT INTO er_mark(subscription, topic, key, mark) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (subscription, topic, key) DO UPDATE SET mark = max(coalesce(mark, 0), excluded.mark)"
        " RETURNING mark, blocked",
        (address.subscription, address.topic, address.key, address.sequence),
    ).fetchone()
    if not blocked:
        _call_next(connection, (address.subscription, address.topic, address.key), mark, now)


def _call_next(connection: sqlite3.Connection, line: tuple[str, str, str], mark: int | None, now: datetime) -> None:
    """Make the event after the mark due; of a key without a mark, the first one."""
    subscription, topic, key = line
    here = "subscription = :subscription AND topic = :topic AND key = :key"
    wanted = ":mark + 1" if mark is not None else f"(SELECT min(sequence) FROM er_waiting WHERE {here})"
    connection.execute(
        f"UPDATE er_waiting SET due = :due WHERE {here} AND sequence = {wanted}",
        {"due": micros(now), "subscription": subscription, "topic": topic, "key": key, "mark": mark},
    )


def hold(connection: sqlite3.Connection, waiting: Waiting) -> None:
    """Keep an event, instead of what was kept under its address."""
    address = waiting.address
    connection.execute(
        f"INSERT OR REPLACE INTO er_waiting({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            address.subscription,
            address.event,
            address.topic,
            address.key,
            address.sequence,
            waiting.reason.value,
            waiting.body,
            micros(waiting.since),
            maybe_micros(waiting.due),
            waiting.attempts,
            history_text(waiting.history),
            waiting.replayed,
        ),
    )


def _waiting(columns: sqlite3.Row) -> Waiting:
    subscription, event, topic, key, sequence, reason, body, since, due, attempts, history, replayed = columns
    return Waiting(
        address=Address(subscription=subscription, topic=topic, event=event, key=key, sequence=sequence),
        reason=WaitingReason(reason),
        body=body,
        since=moment(since),
        due=maybe_moment(due),
        attempts=attempts,
        history=stored_history(history),
        replayed=bool(replayed),
    )


def drop(connection: sqlite3.Connection, address: Address) -> None:
    """Remove a waiting row, if there is one."""
    connection.execute(
        "DELETE FROM er_waiting WHERE subscription = ? AND event = ?", (address.subscription, address.event)
    )


def next_in_line(connection: sqlite3.Connection, subscription: str, topic: str, key: str) -> Waiting | None:
    """Return the waiting event with the lowest number of a key."""
    columns = connection.execute(
        f"SELECT {_COLUMNS} FROM er_waiting WHERE subscription = ? AND topic = ? AND key = ? AND sequence IS NOT NULL"
        " ORDER BY sequence, event LIMIT 1",
        (subscription, topic, key),
    ).fetchone()
    return None if columns is None else _waiting(columns)


def bury(connection: sqlite3.Connection, letter: DeadLetter) -> None:
    """Store a dead letter of the inbox and block its key if it says so."""
    write_letter(connection, letter)
    if letter.topic is None or letter.event is None:
        return
    drop(connection, _address_of(letter))
    if letter.blocks and letter.key is not None:
        connection.execute(
            "INSERT INTO er_mark(subscription, topic, key, blocked) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (subscription, topic, key) DO UPDATE SET blocked = 1",
            (letter.destination, letter.topic, letter.key),
        )


def unblock(connection: sqlite3.Connection, line: tuple[str, str, str], now: datetime) -> None:
    """Let a blocked key move again, beginning with the event after its mark."""
    (mark,) = connection.execute(
        "INSERT INTO er_mark(subscription, topic, key, blocked) VALUES (?, ?, ?, 0)"
        " ON CONFLICT (subscription, topic, key) DO UPDATE SET blocked = 0 RETURNING mark",
        line,
    ).fetchone()
    _call_next(connection, line, mark, now)


def _address_of(letter: DeadLetter) -> Address:
    return Address(
        subscription=letter.destination,
        topic=letter.topic or "",
        event=letter.event or letter.id,
        key=letter.key,
        sequence=letter.sequence,
    )


def close(connection: sqlite3.Connection, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Hold the event of a dead letter for another attempt, or settle it; free its key either way."""
    address = _address_of(letter)
    if letter.blocks and letter.key is not None:
        # Not `unblock`: after a replay the successors stay behind the head until it is settled.
        connection.execute(
            "UPDATE er_mark SET blocked = 0 WHERE subscription = ? AND topic = ? AND key = ?",
            (address.subscription, address.topic, letter.key),
        )
    if not replay:
        settle(connection, address, "discarded", now)
        return
    hold(connection, replay_of(letter, address, now=now))


def due_waiting(
    connection: sqlite3.Connection, subscriptions: Sequence[str], *, limit: int, now: datetime
) -> tuple[Waiting, ...]:
    """Return the rows that have been due for longest. Reads the heads only."""
    rows: list[Waiting] = []
    for subscription in dict.fromkeys(subscriptions):
        rows.extend(_waiting(columns) for columns in connection.execute(DUE, (subscription, micros(now), limit)))
    rows.sort(key=lambda row: (row.due, row.address.subscription, row.address.event))
    return tuple(rows[:limit])


def claim(
    connection: sqlite3.Connection, subscriptions: Sequence[str], *, limit: int, lease: timedelta, now: datetime
) -> tuple[Waiting, ...]:
    """Lend due rows: until the lease ends they are not due again."""
    rows = due_waiting(connection, subscriptions, limit=limit, now=now)
    until = micros(now + lease)
    connection.executemany(
        "UPDATE er_waiting SET due = ? WHERE subscription = ? AND event = ?",
        [(until, row.address.subscription, row.address.event) for row in rows],
    )
    return rows


def next_waiting(connection: sqlite3.Connection, subscriptions: Sequence[str]) -> datetime | None:
    """Return when the next waiting row is due."""
    heads = [
        connection.execute(
            "SELECT min(due) FROM er_waiting WHERE subscription = ? AND due IS NOT NULL", (subscription,)
        ).fetchone()[0]
        for subscription in dict.fromkeys(subscriptions)
    ]
    return maybe_moment(min((head for head in heads if head is not None), default=None))


def stale_gaps(connection: sqlite3.Connection, before: datetime) -> tuple[Waiting, ...]:
    """Return the events that have been held for a gap since before a moment, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM er_waiting WHERE reason = 'gap' AND since <= ? ORDER BY since, event",
        (micros(before),),
    )
    return tuple(_waiting(columns) for columns in rows)
