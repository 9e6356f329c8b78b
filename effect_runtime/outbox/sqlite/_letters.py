"""Dead letters in SQLite. Steps on a connection, made inside one transaction. Blocking."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final

from effect_runtime.outbox._ports import DeadLetter
from effect_runtime.outbox.sqlite._moment import micros, moment
from effect_runtime.outbox.sqlite._record import history_text, stored_history

_COLUMNS: Final = (
    "id, side, destination, topic, key, sequence, event, type, body, cause, history, attempts, blocks, at, state,"
    " recording"
)


def write_letter(connection: sqlite3.Connection, letter: DeadLetter) -> None:
    """Add a dead letter."""
    connection.execute(
        f"INSERT INTO er_dead({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            letter.id,
            letter.side,
            letter.destination,
            letter.topic,
            letter.key,
            letter.sequence,
            letter.event,
            letter.type,
            letter.body,
            letter.cause,
            history_text(letter.history),
            letter.attempts,
            letter.blocks,
            micros(letter.at),
            letter.state,
            letter.recording,
        ),
    )


def _letter(columns: sqlite3.Row) -> DeadLetter:
    (id, side, destination, topic, key, sequence, event, type, body, cause, history, attempts, blocks, at, state,
     recording) = columns  # fmt: skip
    return DeadLetter(
        id=id,
        side=side,
        destination=destination,
        topic=topic,
        key=key,
        sequence=sequence,
        event=event,
        type=type,
        body=body,
        cause=cause,
        history=stored_history(history),
        attempts=attempts,
        blocks=bool(blocks),
        at=moment(at),
        state=state,
        recording=recording,
    )


def read_letter(connection: sqlite3.Connection, id: str) -> DeadLetter | None:
    """Return one dead letter."""
    columns = connection.execute(f"SELECT {_COLUMNS} FROM er_dead WHERE id = ?", (id,)).fetchone()
    return None if columns is None else _letter(columns)


def read_letters(connection: sqlite3.Connection, state: str | None, limit: int) -> tuple[DeadLetter, ...]:
    """Return dead letters, oldest first."""
    where, names = ("", ()) if state is None else ("WHERE state = ?", (state,))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM er_dead {where} ORDER BY position LIMIT ?", (*names, limit)
    ).fetchall()
    return tuple(_letter(columns) for columns in rows)


def read_open(
    connection: sqlite3.Connection, before: datetime, destination: str | None, after: str | None, limit: int
) -> tuple[str, ...]:
    """Return the ids of open letters, oldest first; a letter `after` that is gone is behind nothing."""
    # By position and not by time: clocks may be set back, and nothing may be read twice or left out.
    rows = connection.execute(
        "SELECT id FROM er_dead WHERE state = 'dead' AND at <= ? AND destination = coalesce(?, destination) "
        "AND position > coalesce((SELECT position FROM er_dead WHERE id = ?), 0) ORDER BY position LIMIT ?",
        (micros(before), destination, after, limit),
    ).fetchall()
    return tuple(row[0] for row in rows)


def mark_closed(connection: sqlite3.Connection, id: str, state: str, now: datetime) -> DeadLetter | None:
    """Close a letter and return it as it was; None when it was not `dead` any more."""
    letter = read_letter(connection, id)
    if letter is None or letter.state != "dead":
        return None
    connection.execute("UPDATE er_dead SET state = ?, closed = ? WHERE id = ?", (state, micros(now), id))
    return letter
