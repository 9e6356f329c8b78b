"""Envelopes as columns, and histories as text. The payload is stored as it is, byte for byte."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from effect_runtime.integration import Envelope
from effect_runtime.outbox.sqlite._moment import micros, moment
from effect_runtime.outbox.sqlite._session import Value

ATTRIBUTES: Final = (
    "topic, key, sequence, source, type, version, time, correlation, causation, traceparent, tracestate, tenant, data"
)
ENVELOPE: Final = f"event, {ATTRIBUTES}"
_INSERT: Final = f"INSERT INTO er_outbox({ENVELOPE}, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def write_envelope(connection: sqlite3.Connection, envelope: Envelope, at: int) -> None:
    """Store an envelope with its number, committed at this moment."""
    connection.execute(_INSERT, (*envelope_values(envelope), at))


def envelope_values(envelope: Envelope) -> tuple[Value, ...]:
    """Return an envelope as it is stored: its id, then the columns of `ATTRIBUTES`."""
    return (
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
    )


def stored_envelope(columns: Iterable[Any]) -> Envelope:
    """Return a stored envelope from its id and the columns of `ATTRIBUTES`."""
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
    # Empty for nearly every row, and asked for each row of a claim: so neither way goes through JSON then.
    return json.dumps(history, ensure_ascii=False) if history else "[]"


def stored_history(stored: str) -> tuple[str, ...]:
    """Return a stored history."""
    return () if stored == "[]" else tuple(json.loads(stored))
