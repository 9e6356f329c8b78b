"""Envelopes as CloudEvents and back: laws, an independent reader and writer, and bytes that mean harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import example, given
from hypothesis import strategies as st

from effect_runtime.errors import BadEnvelope, Unserializable
from effect_runtime.integration import (
    Envelope,
    Message,
    decode_event,
    decode_message,
    encode_message,
    make_envelope,
)
from tests.integration.contracts import NOON, LibraryOpened
from tests.integration.strategies import BORROWED, JSON, envelopes
from tests.integration.test_registry import REGISTRY

PLAIN = Envelope(
    id="e-1",
    source="/library/lending",
    type="lending.book-borrowed",
    version=2,
    topic="lending",
    time=NOON,
    data=b'{"book":1}',
    correlation="c-1",
)
FULL = evolve(
    PLAIN,
    key="b-1",
    sequence=7,
    causation="m-1",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    tracestate="vendor=1",
    tenant="north",
)
ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/library/lending",
    "type": "lending.book-borrowed",
    "topic": "lending",
    "correlationid": "c-1",
    "time": "2026-03-01T12:00:00Z",
    "data": {"book": 1},
}


def message(attributes: Any) -> Message:
    """Return a message whose body is this JSON."""
    return Message(json.dumps(attributes).encode())


def reading(received: Message) -> Envelope | BadEnvelope:
    """Return what is read, or the refusal; everything else is raised."""
    try:
        return decode_message(received)
    except BadEnvelope as error:
        return error


@given(
    envelopes(
        JSON.map(lambda value: json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())
    )
)
def test_an_envelope_comes_back_as_it_was(envelope: Envelope) -> None:
    """Decoding what was encoded gives an equal envelope, its payload byte for byte."""
    assert decode_message(encode_message(envelope)) == envelope


def test_an_envelope_has_one_published_form() -> None:
    """The attributes are part of the wire contract: lower-case letters and digits, the sequence as text."""
    sent = encode_message(FULL)
    assert (sent.headers, sent.key) == ({"content-type": "application/cloudevents+json; charset=utf-8"}, "b-1")
    assert json.loads(sent.body) == {
        **ATTRIBUTES,
        "datacontenttype": "application/json",
        "eventversion": 2,
        "partitionkey": "b-1",
        "sequence": "7",
        "causationid": "m-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=1",
        "tenant": "north",
    }


def test_absent_attributes_are_not_sent() -> None:
    """No null travels where CloudEvents knows none."""
    assert set(json.loads(encode_message(PLAIN).body)) == {*ATTRIBUTES, "datacontenttype", "eventversion"}


@given(envelopes(st.just(b'{"book":1}')))
def test_the_cloudevents_package_reads_what_we_send(envelope: Envelope) -> None:
    """An independent implementation finds every attribute, and validates names and types."""
    event: Any = JSONFormat().read(None, encode_message(envelope).body)
    found = event.get_attributes()
    assert isinstance(event, CloudEvent)
    assert (found["id"], found["type"], found["source"]) == (envelope.id, envelope.type, envelope.source)
    assert (found["time"], found["eventversion"]) == (envelope.time, envelope.version)
    assert (found.get("partitionkey"), found.get("tenant")) == (envelope.key, envelope.tenant)
    assert found.get("sequence") == (None if envelope.sequence is None else str(envelope.sequence))
    assert event.get_data() == {"book": 1}


def test_we_read_what_the_cloudevents_package_sends() -> None:
    """A foreign publisher needs no code of ours: a version of 1 is assumed, unknown attributes are ignored."""
    attributes: dict[str, Any] = {name: value for name, value in ATTRIBUTES.items() if name not in ("data", "time")}
    event = CloudEvent({**attributes, "time": NOON, "subject": "books", "other": 1}, {"book": 1})
    assert decode_message(Message(JSONFormat().write(event))) == evolve(PLAIN, version=1)


@given(BORROWED)
def test_an_event_crosses_the_wire_as_it_was(event: Any) -> None:
    """Event, envelope, message, envelope, event."""
    envelope = make_envelope(event, id="e-1", source="/library/lending", time=NOON, correlation="c-1")
    assert decode_event(decode_message(encode_message(envelope)), REGISTRY) == event


@pytest.mark.parametrize(
    ("change", "attribute", "problem"),
    [
        ({"specversion": "0.3"}, "specversion", "is not '1.0'"),
        ({"specversion": 1.0}, "specversion", "is not '1.0'"),
        ({"id": None}, "id", "is missing"),
        ({"id": ""}, "id", "is empty"),
        ({"id": 7}, "id", "is not text"),
        ({"source": {"a": 1}}, "source", "is not text"),
        ({"type": "a\nb"}, "type", "holds a control character"),
        ({"topic": None}, "topic", "is missing"),
        ({"correlationid": "\x00"}, "correlationid", "holds a control character"),
        ({"partitionkey": "k" * 65_537}, "partitionkey", "is longer than 65536 characters"),
        ({"tenant": []}, "tenant", "is not text"),
        ({"time": None}, "time", "is missing or not text"),
        ({"time": "noon"}, "time", "is no ISO 8601 date and time"),
        ({"time": "2026-03-01T12:00:00"}, "time", "is naive: give it a timezone, for example datetime.now(UTC)"),
        ({"eventversion": 0}, "eventversion", "is no number from 1 to 2147483647"),
        ({"eventversion": True}, "eventversion", "is no number from 1 to 2147483647"),
        ({"eventversion": "two"}, "eventversion", "is no number from 1 to 2147483647"),
        ({"eventversion": 2**31}, "eventversion", "is no number from 1 to 2147483647"),
        ({"sequence": "7"}, "sequence", "numbers no key"),
        ({"partitionkey": "k", "sequence": -1}, "sequence", "is no number from 1 to 9223372036854775807"),
        ({"partitionkey": "k", "sequence": "9" * 19}, "sequence", "is no number from 1 to 9223372036854775807"),
        ({"partitionkey": "k", "sequence": "٧"}, "sequence", "is no number from 1 to 9223372036854775807"),
        ({"data_base64": "AA=="}, "data_base64", "is binary data"),
        ({"datacontenttype": "text/xml"}, "datacontenttype", "is not JSON"),
        ({"datacontenttype": 7}, "datacontenttype", "is not JSON"),
    ],
)
def test_a_bad_attribute_is_named_with_its_fix(change: dict[str, Any], attribute: str, problem: str) -> None:
    """The sentence says which attribute, what is wrong with it, and what to send instead."""
    with pytest.raises(BadEnvelope) as caught:
        decode_message(message({**ATTRIBUTES, **change}))
    assert (caught.value.attribute, caught.value.problem) == (attribute, problem)
    assert str(caught.value) == f"Envelope attribute '{attribute}' {problem}. {caught.value.fix}"
    assert caught.value.fix.endswith(".")


@pytest.mark.parametrize("attribute", ["id", "source", "type", "topic", "correlationid", "time", "data"])
def test_a_missing_attribute_is_named(attribute: str) -> None:
    """What we cannot do without is said by name."""
    with pytest.raises(BadEnvelope) as caught:
        decode_message(message({name: value for name, value in ATTRIBUTES.items() if name != attribute}))
    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is not JSON (Expecting value at 0)"),
        (b"\xff{}", "is not UTF-8 (byte 0)"),
        (b"[]", "is no JSON object"),
        (b'{"id":"a","id":"b"}', "names 'id' twice in one object"),
        (b'{"data":{"a":1,"b":2,"a":3}}', "names 'a' twice in one object"),
        (b'{"data":NaN}', "holds NaN, which is no JSON"),
        (b'{"data":-Infinity}', "holds -Infinity, which is no JSON"),
        (b'{"data":1e999}', "holds the number 1e999, which is too large"),
        (b'{"data":"\\ud800"}', "holds half of a surrogate pair"),
        (b'{"\\udfff":1}', "holds half of a surrogate pair"),
        (b'{"data":' + b"[" * 65 + b"]" * 65 + b"}", "nests deeper than 64"),
        (b"[" * 200_000, "nests deeper than 64"),
        (b'{"a":' * 200_000, "nests deeper than 64"),
        (b" " * (8 * 1024 * 1024 + 1), "is 8388609 bytes long, more than 8388608"),
        (b"\xef\xbb\xbf{}", "is not JSON (Expecting value at 0)"),
    ],
    ids=range(15),
)
def test_a_bad_body_is_refused_with_its_reason(body: bytes, problem: str) -> None:
    """Size, encoding, syntax, depth, repeated names and numbers that JSON does not know."""
    with pytest.raises(BadEnvelope) as caught:
        decode_message(Message(body))
    assert (caught.value.attribute, caught.value.problem) == ("body", problem)


def test_a_number_of_too_many_digits_is_refused() -> None:
    """Python refuses to convert such numbers, and so do we, as a fault of the body."""
    with pytest.raises(BadEnvelope, match="holds a number of too many digits"):
        decode_message(Message(b'{"data":' + b"9" * 5_000 + b"}"))


@given(st.binary(max_size=200))
@example(b"null")
@example(b'{"specversion":"1.0"}')
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    """Noise is a `BadEnvelope`."""
    with pytest.raises(BadEnvelope):
        decode_message(Message(body))


@given(st.sampled_from([*ATTRIBUTES, "partitionkey", "sequence", "eventversion", "tenant", "datacontenttype"]), JSON)
def test_no_value_of_an_attribute_raises_anything_else(name: str, value: Any) -> None:
    """A near miss is read or is a `BadEnvelope`."""
    answer = reading(message({**ATTRIBUTES, name: value}))
    if isinstance(answer, BadEnvelope):
        assert answer.attribute in (name, "body")
    else:
        assert decode_message(encode_message(answer)) == answer


@given(st.data())
def test_no_damage_to_a_good_message_raises_anything_else(data: st.DataObject) -> None:
    """A flipped, cut or inserted byte is read or is a `BadEnvelope`."""
    body = bytearray(encode_message(FULL).body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=3))
    assert isinstance(reading(Message(bytes(body))), Envelope | BadEnvelope)


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"id": ""}, {"id": "is empty"}),
        ({"key": "a\tb", "tenant": ""}, {"key": "holds a control character", "tenant": "is empty"}),
        ({"correlation": 7}, {"correlation": "is not text"}),
        ({"time": datetime(2026, 3, 1)}, {"time": "is naive: give it a timezone, for example datetime.now(UTC)"}),
        ({"version": 0}, {"version": "is not between 1 and 2147483647"}),
        ({"sequence": 2**63}, {"sequence": "is not between 1 and 9223372036854775807"}),
    ],
)
def test_an_envelope_that_could_not_be_read_is_not_sent(change: dict[str, Any], faults: dict[str, str]) -> None:
    """Whoever builds it learns of every attribute at once, before it is committed."""
    with pytest.raises(Unserializable) as caught:
        encode_message(evolve(FULL, **change))
    assert caught.value.faults == faults


def test_making_an_envelope_refuses_what_could_not_be_sent() -> None:
    """A correlation from a careless HTTP header fails the command instead of poisoning the relay."""
    with pytest.raises(Unserializable, match="correlation: holds a control character"):
        make_envelope(LibraryOpened(), id="e", source="/l", time=datetime.now(UTC), correlation="a\r\nb")
