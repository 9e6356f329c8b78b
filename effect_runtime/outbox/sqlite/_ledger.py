"""The last statements of a unit: audit, numbered events on their lanes, agenda, and the answer under its command id.

Steps on a connection, made inside the unit's own transaction. Blocking; time is an argument.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from effect_runtime.dispatch import Answer, AuditEntry, Ledger
from effect_runtime.errors import EventTooLarge, StoreConflict
from effect_runtime.integration import Envelope
from effect_runtime.outbox.sqlite import _agenda
from effect_runtime.outbox.sqlite._moment import micros, moment
from effect_runtime.outbox.sqlite._record import write_envelope


def stored_answer(connection: sqlite3.Connection, command_id: str) -> Answer | None:
    """Return the answer under a command id, if there is one."""
    row = connection.execute("SELECT fingerprint, body FROM er_command WHERE id = ?", (command_id,)).fetchone()
    return None if row is None else Answer(command_id=command_id, fingerprint=row[0], body=row[1])


def write_ledger(
    connection: sqlite3.Connection, ledger: Ledger, *, store: str, event_limit: int, now: datetime
) -> tuple[Envelope, ...]:
    """Write everything that a commit adds and return the events with their numbers."""
    for event in ledger.events:
        if len(event.data) > event_limit:
            raise EventTooLarge(event.id, type=event.type, size=len(event.data), limit=event_limit)
    at = micros(now)
    events = tuple(_publish(connection, event, at) for event in ledger.events)
    if ledger.agenda:
        _agenda.add(connection, ledger.agenda, now)
    if ledger.audit is not None:
        write_audit(connection, ledger.audit)
    if ledger.answer is not None:
        _remember(connection, ledger.answer, at, store)
    return events


def _publish(connection: sqlite3.Connection, event: Envelope, at: int) -> Envelope:
    if event.key is not None:
        # Taken at the commit, not when a handler publishes: a nested command may still take its events back.
        (number,) = connection.execute(
            "INSERT INTO er_sequence(topic, key, last) VALUES (?, ?, 1)"
            " ON CONFLICT (topic, key) DO UPDATE SET last = last + 1 RETURNING last",
            (event.topic, event.key),
        ).fetchone()
        event = event.numbered(number)
    write_envelope(connection, event, at)
    _enqueue(connection, event, at)
    return event


def _enqueue(connection: sqlite3.Connection, event: Envelope, at: int) -> None:
    if event.sequence is None:
        connection.execute(
            "INSERT INTO er_lane(destination, topic, event, last, latest, due)"
            " SELECT destination, topic, ?, 0, 1, ? FROM er_route WHERE topic = ?",
            (event.id, at, event.topic),
        )
        return
    # A lane that holds events keeps its time: a new one must not end its head's wait, or its loan. The target repeats
    # the index's own WHERE, or SQLite finds no index to conflict with.
    connection.execute(
        "INSERT INTO er_lane(destination, topic, key, last, latest, due)"
        " SELECT destination, topic, ?, ?, ?, ? FROM er_route WHERE topic = ?"
        " ON CONFLICT (destination, topic, key) WHERE key IS NOT NULL DO UPDATE SET"
        " due = CASE WHEN latest > last THEN due ELSE excluded.due END, latest = excluded.latest",
        (event.key, event.sequence - 1, event.sequence, at, event.topic),
    )


def _remember(connection: sqlite3.Connection, answer: Answer, at: int, store: str) -> None:
    written = connection.execute(
        "INSERT INTO er_command(id, fingerprint, body, at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (answer.command_id, answer.fingerprint, answer.body, at),
    )
    if written.rowcount == 0:
        raise StoreConflict(store, reason=f"command {answer.command_id!r} was answered by a twin")


def write_audit(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Add one line to the audit."""
    connection.execute(
        "INSERT INTO er_audit(at, context, command, command_id, principal, outcome, correlation)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (micros(entry.at), entry.context, entry.command, entry.command_id, entry.principal, entry.outcome,
         entry.correlation),
    )  # fmt: skip


def read_audit(connection: sqlite3.Connection, limit: int) -> tuple[AuditEntry, ...]:
    """Return the newest lines of the audit, oldest first."""
    rows = connection.execute(
        "SELECT at, context, command, command_id, principal, outcome, correlation FROM er_audit"
        " ORDER BY position DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return tuple(
        AuditEntry(
            at=moment(at),
            context=context,
            command=command,
            command_id=command_id,
            principal=principal,
            outcome=outcome,
            correlation=correlation,
        )
        for at, context, command, command_id, principal, outcome, correlation in reversed(rows)
    )
