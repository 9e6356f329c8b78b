"""Envelopes as messages and back: CloudEvents 1.0, structured JSON mode.

Reads bytes from strangers: every flaw is an `errors.BadEnvelope` that names the attribute, and nothing else is
raised. Attributes that are not ours are ignored. Knows no event class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from effect_runtime.errors import BadEnvelope, Unserializable
from effect_runtime.integration._envelope import Envelope
from effect_runtime.integration._fields import Unfit
from effect_runtime.integration._json import BadJson, canonical, parse
from effect_runtime.integration._leaves import read_datetime, write_datetime
from effect_runtime.integration._transport import Message

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": CONTENT_TYPE})

# CloudEvents forbids control characters in attributes; stores and brokers stumble over some of them.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_JSON_TYPE: Final = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json\s*(?:;.*)?", re.ASCII | re.DOTALL)
_LONGEST: Final = 65_536
_LARGEST_VERSION: Final = 2**31 - 1
_LARGEST_SEQUENCE: Final = 2**63 - 1

_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "id",
        "source": "source",
        "type": "type",
        "topic": "topic",
        "correlation": "correlationid",
        "key": "partitionkey",
        "causation": "causationid",
        "traceparent": "traceparent",
        "tracestate": "tracestate",
        "tenant": "tenant",
    }
)
"""Fields of an `Envelope` that are text, and the CloudEvents attributes that carry them."""

_texts_of: Final = attrgetter(*_TEXTS)


def encode_message(envelope: Envelope) -> Message:
    """Turn an envelope into a message. `data` is taken as it is: canonical JSON, as `make_envelope` gives it.

    Raises `errors.Unserializable` for an attribute that CloudEvents cannot carry.
    """
    refuse_flaws(envelope)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "time": write_datetime(envelope.time),
        "eventversion": envelope.version,
        **{name: value for field, name in _TEXTS.items() if (value := getattr(envelope, field)) is not None},
    }
    if envelope.sequence is not None:
        # Text, because the integers of CloudEvents end at 2**31 and a sequence must not.
        attributes["sequence"] = str(envelope.sequence)
    # Spliced, because the payload is canonical JSON already and may be large.
    return Message(b'{"data":' + envelope.data + b"," + canonical(attributes)[1:], _HEADERS, envelope.key)


def decode_message(message: Message) -> Envelope:
    """Read an envelope from a message; raises `errors.BadEnvelope` and nothing else, whatever the bytes are."""
    try:
        attributes = parse(message.body)
    except BadJson as error:
        raise BadEnvelope("body", problem=str(error), fix="Send one CloudEvent in structured JSON mode.") from error
    if not isinstance(attributes, dict):
        raise BadEnvelope("body", problem="is no JSON object", fix="Send one CloudEvent, not a batch.")
    if attributes.get("specversion") != "1.0":
        raise BadEnvelope("specversion", problem="is not '1.0'", fix='Send CloudEvents 1.0: "specversion": "1.0".')
    envelope = Envelope(
        id=_required(attributes, "id"),
        source=_required(attributes, "source"),
        type=_required(attributes, "type"),
        # A publisher that is not ours counts no versions: what it sends is the first.
        version=_number(attributes, "eventversion", _LARGEST_VERSION) or 1,
        topic=_required(attributes, "topic"),
        time=_time(attributes),
        data=_data(attributes),
        correlation=_required(attributes, "correlationid"),
        key=_text(attributes, "partitionkey"),
        sequence=_number(attributes, "sequence", _LARGEST_SEQUENCE),
        causation=_text(attributes, "causationid"),
        traceparent=_text(attributes, "traceparent"),
        tracestate=_text(attributes, "tracestate"),
        tenant=_text(attributes, "tenant"),
    )
    # The inbox keeps a mark for each key: a number of nothing would pass for a duplicate or a gap.
    if envelope.sequence is not None and envelope.key is None:
        raise BadEnvelope("sequence", problem="numbers no key", fix="Send it together with 'partitionkey', or not.")
    return envelope


def refuse_flaws(envelope: Envelope) -> None:
    """Raise `errors.Unserializable` with every attribute that could not be read back."""
    if _plainly_sound(envelope):
        return
    flaws = dict(_flaws(envelope))
    if flaws:
        raise Unserializable(f"The envelope of {envelope.type!r}", faults=flaws)


def _plainly_sound(envelope: Envelope) -> bool:
    """Tell in one look that nothing is wrong; False asks for the closer look."""
    # Every envelope of ours is sound, so the common case is one join. `isprintable` refuses more than CloudEvents
    # does; what it doubts, the closer look decides.
    present = [value for value in _texts_of(envelope) if value is not None]
    try:
        text = "".join(present)
    except TypeError:
        return False
    sequence = envelope.sequence
    return (
        "" not in present
        and len(text) <= _LONGEST
        and text.isprintable()
        and envelope.time.tzinfo is UTC
        and 1 <= envelope.version <= _LARGEST_VERSION
        and (sequence is None or 1 <= sequence <= _LARGEST_SEQUENCE)
    )


def _flaws(envelope: Envelope) -> Iterator[tuple[str, str]]:
    for field in _TEXTS:
        value = getattr(envelope, field)
        if value is not None and (flaw := _flaw(value)):
            yield field, flaw
    try:
        write_datetime(envelope.time)
    except Unfit as error:
        yield "time", error.errors[0].problem
    for field, number, largest in (
        ("version", envelope.version, _LARGEST_VERSION),
        ("sequence", envelope.sequence, _LARGEST_SEQUENCE),
    ):
        if number is not None and not 1 <= number <= largest:
            yield field, f"is not between 1 and {largest}"


def _flaw(value: object) -> str | None:
    if not isinstance(value, str):
        return "is not text"
    if not value:
        return "is empty"
    if len(value) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    return "holds a control character" if _CONTROL.search(value) else None


def _required(attributes: Mapping[str, Any], name: str) -> str:
    value = _text(attributes, name)
    if value is None:
        raise BadEnvelope(name, problem="is missing", fix="Send it: every envelope of ours carries it.")
    return value


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    if value is None:
        return None
    if flaw := _flaw(value):
        raise BadEnvelope(name, problem=flaw, fix="Send text without control characters, or leave it out.")
    return str(value)


def _number(attributes: Mapping[str, Any], name: str, largest: int) -> int | None:
    value = attributes.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise BadEnvelope(name, problem=f"is no number from 1 to {largest}", fix="Send decimal digits.")
    return value


def _time(attributes: Mapping[str, Any]) -> datetime:
    value = attributes.get("time")
    if not isinstance(value, str):
        raise BadEnvelope("time", problem="is missing or not text", fix="Send the moment in RFC 3339.")
    try:
        return read_datetime(value)
    except Unfit as error:
        problem = error.errors[0].problem
        raise BadEnvelope("time", problem=problem, fix="Send RFC 3339 with a timezone.") from error


def _data(attributes: Mapping[str, Any]) -> bytes:
    if "data_base64" in attributes:
        raise BadEnvelope("data_base64", problem="is binary data", fix="Send the payload as JSON in 'data'.")
    if "data" not in attributes:
        raise BadEnvelope("data", problem="is missing", fix="Send the payload as a JSON object.")
    kind = attributes.get("datacontenttype")
    if kind is not None and not (isinstance(kind, str) and _JSON_TYPE.fullmatch(kind)):
        raise BadEnvelope("datacontenttype", problem="is not JSON", fix="Send 'application/json', or leave it out.")
    # Spelt anew: what is stored must not depend on a stranger's spaces and order.
    return canonical(attributes["data"])
