"""How the payload of an envelope becomes an instance of its class, whatever its version was when it was written.

For events of topics and for what a context stores for itself. Knows no topic, no store, no handler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from effect_runtime.errors import BadPayload, UnknownEvent
from effect_runtime.integration._codec import structure_all
from effect_runtime.integration._envelope import Envelope
from effect_runtime.integration._fields import FieldErrors, by_path
from effect_runtime.integration._identity import Payload, Upcaster, WireIdentity
from effect_runtime.integration._json import BadJson, parse


@frozen(kw_only=True)
class Reading:
    """Say how one class is read."""

    event: type[Any]
    wire: WireIdentity
    upcasters: Mapping[int, Upcaster]


def reading_of(envelope: Envelope, readings: Mapping[str, Reading]) -> Reading:
    """Return what reads an envelope; raises `errors.UnknownEvent` for a type or version that nothing reads."""
    reading = readings.get(envelope.type)
    if reading is None:
        raise UnknownEvent(envelope.type, envelope.version, known=tuple(readings))
    wire = reading.wire
    if not wire.oldest <= envelope.version <= wire.version:
        known = f"{wire.name} {wire.oldest}" + (f" to {wire.version}" if wire.version > wire.oldest else "")
        raise UnknownEvent(envelope.type, envelope.version, known=(known,))
    return reading


def read(envelope: Envelope, reading: Reading) -> Any:
    """Build the instance that an envelope holds, brought up to the current version of its class.

    Raises `errors.BadPayload`, and nothing else. Unknown fields are ignored.
    """
    payload = _upcast(_payload(envelope), envelope, reading)
    record = structure_all(reading.event, payload)
    if isinstance(record, FieldErrors):
        raise BadPayload(envelope.type, envelope.version, faults=by_path(record.fields))
    return record


def _payload(envelope: Envelope) -> Payload:
    try:
        payload = parse(envelope.data)
    except BadJson as error:
        raise BadPayload(envelope.type, envelope.version, faults={"": f"it {error}"}) from error
    if not isinstance(payload, dict):
        raise BadPayload(envelope.type, envelope.version, faults={"": "it is no JSON object"})
    return payload


def _upcast(payload: Payload, envelope: Envelope, reading: Reading) -> Payload:
    for version in range(envelope.version, reading.wire.version):
        step = reading.upcasters.get(version)
        if step is None:
            raise BadPayload(envelope.type, envelope.version, faults={"": f"version {version} has no upcaster"})
        try:
            answer: Any = step.function(payload, envelope)
        # A user's function: whatever it raises is trouble of this message, and no reason to stop the consumer.
        except Exception as error:
            reason = f"its upcaster from version {version} raised {type(error).__name__}: {error}"
            raise BadPayload(envelope.type, envelope.version, faults={"": reason}) from error
        if not isinstance(answer, Mapping):
            reason = f"its upcaster from version {version} returned {type(answer).__name__}, not a mapping"
            raise BadPayload(envelope.type, envelope.version, faults={"": reason})
        payload = answer
    return payload
