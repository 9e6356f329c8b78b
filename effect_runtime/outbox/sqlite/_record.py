"""Envelopes and histories as bytes and text: a private form that only this adapter reads.

An envelope is one line of JSON with its attributes, a line feed, and the payload untouched. Its number is a column.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from effect_runtime.integration import Envelope

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def envelope_bytes(envelope: Envelope) -> bytes:
    """Return an envelope as it is stored, without its number."""
    attributes = [
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.version,
        envelope.topic,
        envelope.time.isoformat(),
        envelope.correlation,
        envelope.key,
        envelope.causation,
        envelope.traceparent,
        envelope.tracestate,
        envelope.tenant,
    ]
    return _dump(attributes).encode() + b"\n" + envelope.data


def stored_envelope(stored: bytes, sequence: int | None) -> Envelope:
    """Return a stored envelope with its number."""
    line, _, payload = stored.partition(b"\n")
    attributes: list[Any] = json.loads(line)
    id, source, type, version, topic, time, correlation, key, causation, traceparent, tracestate, tenant = attributes
    return Envelope(
        id=id,
        source=source,
        type=type,
        version=version,
        topic=topic,
        time=datetime.fromisoformat(time),
        data=payload,
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
    return _dump(history) if history else "[]"


def stored_history(stored: str) -> tuple[str, ...]:
    """Return a stored history."""
    return () if stored == "[]" else tuple(json.loads(stored))
