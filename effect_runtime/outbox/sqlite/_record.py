"""Envelopes as columns, and histories as text. The payload is stored as it is, byte for byte."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from effect_runtime.integration import Envelope
from effect_runtime.outbox.sqlite._moment import micros, moment

ENVELOPE: Final = (
    "event, topic, key, sequence, source, type, version, time, correlation, causation, traceparent, tracestate,"
    " tenant, data"
)
_INSERT: Final = f"INSERT INTO er_outbox({ENVELOPE}, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def write_envelope(connection: sqlite3.Connection, envelope: Envelope, at: int) -> None:
    """Store an envelope with its number, committed at this moment."""
    connection.execute(
        _INSERT,
        (
            envelope.id,
            envelope.topic,
            envelope.key,
            envelope.sequence,
            envelope.source,
            envelope.type,
            envelope.version,
            micros(envelope.time),
            envelope.correlation,
            envelope.causation,
            envelope.traceparent,
            envelope.tracestate,
            envelope.tenant,
            envelope.data,
            at,
        ),
    )


def stored_envelope(columns: sqlite3.Row) -> Envelope:
    """Return a stored envelope from the columns of `ENVELOPE`."""
    (id, topic, key, sequence, source, type, version, time, correlation, causation, traceparent, tracestate, tenant,
     data) = columns  # fmt: skip
    return Envelope(
        id=id,
        source=source,
        type=type,
        version=version,
        topic=topic,
        time=moment(time),
        data=data,
        correlation=correlation,
        key=key,
        sequence=sequence,
        causation=causation,
        traceparent=traceparent,
        tracestate=tracestate,
        tenant=tenant,
    )


def history_text(history: tuple[str, ...]) -> str:
    """Return a history as it is stored."""
    return json.dumps(history, ensure_ascii=False) if history else "[]"


def stored_history(stored: str) -> tuple[str, ...]:
    """Return a stored history."""
    return () if stored == "[]" else tuple(json.loads(stored))
