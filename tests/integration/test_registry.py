"""Events into envelopes and back through their history: upcasters, former names, and what nobody reads."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve, frozen
from hypothesis import given

from effect_runtime.errors import BadPayload, ConfigurationError, UndecodableMessage, UnknownEvent, Unserializable
from effect_runtime.integration import (
    Envelope,
    EventRegistry,
    Message,
    Payload,
    Topic,
    decode_event,
    decode_message,
    encode_message,
    event_key,
    integration_event,
    make_envelope,
    upcaster,
)
from tests.integration.contracts import (
    NOON,
    BookBorrowed,
    BookId,
    Condition,
    EverythingTold,
    LendingEvents,
    LibraryOpened,
    LoanId,
)
from tests.integration.strategies import JSON

REGISTRY = EventRegistry((LendingEvents,))
BOOK = BookId(UUID("00000000-0000-4000-8000-000000000001"))
LOAN = LoanId(UUID("00000000-0000-4000-8000-000000000002"))
NOT_A_NUMBER: Any = "five"
BORROWED = BookBorrowed(BOOK, 5, LOAN, NOON)
FIRST = Envelope(
    id="e-1",
    source="/library/lending",
    type="lending.book-borrowed",
    version=1,
    topic="lending",
    time=NOON,
    data=b'{"book":"00000000-0000-4000-8000-000000000001"}',
    correlation="c-1",
    key=str(BOOK),
    sequence=1,
)


class Keys(Topic, name="keys"):
    """Events with keys of every kind."""

    __slots__ = ()


@frozen
@integration_event("keys.text-keyed", key="id")
class TextKeyed(Keys):
    """Ordered by text."""

    id: str


@frozen
@integration_event("keys.number-keyed", key="id")
class NumberKeyed(Keys):
    """Ordered by a number."""

    id: int


@frozen
@integration_event("keys.flag-keyed", key="id")
class FlagKeyed(Keys):
    """Ordered by a flag."""

    id: bool


@frozen
@integration_event("keys.loan-keyed", key="id")
class LoanKeyed(Keys):
    """Ordered by a typed id."""

    id: LoanId


@frozen
@integration_event("keys.condition-keyed", key="id")
class ConditionKeyed(Keys):
    """Ordered by an enum."""

    id: Condition


class Careless(Topic, name="careless"):
    """Events whose upcasters go wrong."""

    __slots__ = ()


@frozen
@integration_event("careless.thing-done", version=3)
class ThingDone(Careless):
    """Came from two careless versions."""

    thing: str


@upcaster(ThingDone, version=1)
def raise_on_it(payload: Payload, envelope: Envelope) -> Payload:
    """Look up what is not there."""
    return {"thing": payload["name"]}


@upcaster(ThingDone, version=2)
def forget_to_return(payload: Payload, envelope: Envelope) -> Payload:
    """Return nothing."""
    nothing: Any = None
    return nothing  # type: ignore[no-any-return]  # the point


@frozen
@integration_event("careless.thing-kept", version=4, oldest=3)
class ThingKept(Careless):
    """No longer reads versions 1 and 2."""

    thing: str


@upcaster(ThingKept, version=3)
def keep(payload: Payload, envelope: Envelope) -> Payload:
    """Change nothing."""
    return payload


class Grown(Topic, name="grown"):
    """An event that has got a field."""

    __slots__ = ()


@frozen
@integration_event("grown.thing-grown")
class ThingGrown(Grown):
    """`colour` came later."""

    thing: str
    colour: str = "unknown"


def test_an_envelope_carries_what_the_event_and_its_cause_say() -> None:
    """Identity, version, topic and key come from the class; the rest from whoever commits it."""
    envelope = make_envelope(
        BORROWED,
        id="e-1",
        source="/library/lending",
        time=NOON,
        correlation="c-1",
        causation="m-1",
        traceparent="00-a-b-01",
        tracestate="v=1",
        tenant="north",
    )
    assert envelope == Envelope(
        id="e-1",
        source="/library/lending",
        type="lending.book-borrowed",
        version=3,
        topic="lending",
        time=NOON,
        data=json.dumps(
            {"book_id": str(BOOK), "loan_id": str(LOAN.value), "occurred_at": "2026-03-01T12:00:00Z", "patron": 5},
            separators=(",", ":"),
        ).encode(),
        correlation="c-1",
        key=str(BOOK),
        causation="m-1",
        traceparent="00-a-b-01",
        tracestate="v=1",
        tenant="north",
    )
    assert envelope.numbered(4) == evolve(envelope, sequence=4)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (TextKeyed("b/1"), "b/1"),
        (NumberKeyed(-7), "-7"),
        (FlagKeyed(True), "true"),
        (LoanKeyed(LOAN), str(LOAN.value)),
        (ConditionKeyed(Condition.WORN), "worn"),
        (LibraryOpened(), None),
    ],
)
def test_a_key_is_spelled_in_one_way(event: Topic, key: str | None) -> None:
    """Lanes are found by this text, so it is part of the wire contract."""
    assert event_key(event) == key


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (TextKeyed(""), {"id": "is empty and cannot order events"}),
        (
            BookBorrowed(BOOK, NOT_A_NUMBER, None, NOON.replace(tzinfo=None)),
            {
                "patron": "is str, not a whole number",
                "occurred_at": "is naive: give it a timezone, for example datetime.now(UTC)",
            },
        ),
    ],
)
def test_an_event_that_does_not_hold_what_it_says_is_not_sent(event: Topic, problem: dict[str, str]) -> None:
    """The command that built it fails, with the fields named."""
    with pytest.raises(Unserializable) as caught:
        make_envelope(event, id="e", source="/l", time=NOON, correlation="c")
    assert (caught.value.subject, caught.value.faults) == (type(event).__name__, problem)


def test_an_older_version_is_brought_up_step_by_step() -> None:
    """Upcasters get payload and envelope; here the time of the oldest version comes from the envelope."""
    assert decode_event(FIRST, REGISTRY) == BookBorrowed(BOOK, 0, None, NOON)
    second = evolve(FIRST, version=2, data=json.dumps({"book_id": str(BOOK), "patron": 5}).encode())
    assert decode_event(second, REGISTRY) == BookBorrowed(BOOK, 5, None, NOON)


def test_a_former_name_is_read_by_the_class_that_replaced_it() -> None:
    """A rename on the wire costs older publishers nothing."""
    assert decode_event(evolve(FIRST, type="lending.book-lent"), REGISTRY) == BookBorrowed(BOOK, 0, None, NOON)


def test_recorded_messages_are_read_for_ever() -> None:
    """Bytes of every version that ever left, as a dead letter may replay them."""
    first = (
        b'{"data":{"book":"00000000-0000-4000-8000-000000000001"},"correlationid":"c-1","datacontenttype":'
        b'"application/json","eventversion":1,"id":"e-1","partitionkey":"00000000-0000-4000-8000-000000000001",'
        b'"sequence":"1","source":"/library/lending","specversion":"1.0","time":"2026-03-01T12:00:00Z",'
        b'"topic":"lending","type":"lending.book-borrowed"}'
    )
    third = (
        b'{"data":{"book_id":"00000000-0000-4000-8000-000000000001","loan_id":"00000000-0000-4000-8000-000000000002",'
        b'"occurred_at":"2026-03-01T12:00:00Z","patron":5},"correlationid":"c-1","datacontenttype":'
        b'"application/json","eventversion":3,"id":"e-3","partitionkey":"00000000-0000-4000-8000-000000000001",'
        b'"sequence":"3","source":"/library/lending","specversion":"1.0","time":"2026-03-01T12:00:00Z",'
        b'"topic":"lending","type":"lending.book-borrowed"}'
    )
    assert decode_message(Message(first)) == FIRST
    assert decode_event(decode_message(Message(first)), REGISTRY) == BookBorrowed(BOOK, 0, None, NOON)
    assert decode_event(decode_message(Message(third)), REGISTRY) == BORROWED
    sent = make_envelope(BORROWED, id="e-3", source="/library/lending", time=NOON, correlation="c-1").numbered(3)
    assert encode_message(sent).body == third


def test_fields_of_a_later_publisher_are_ignored() -> None:
    """A publisher may add fields without telling its readers."""
    envelope = make_envelope(BORROWED, id="e", source="/l", time=NOON, correlation="c")
    more = {**json.loads(envelope.data), "added_later": [1]}
    assert decode_event(evolve(envelope, data=json.dumps(more).encode()), REGISTRY) == BORROWED


def test_a_registry_knows_each_event_by_all_its_names() -> None:
    """Current and former identities, in the order of definition."""
    assert REGISTRY.names == (
        "lending.book-borrowed",
        "lending.book-lent",
        "lending.everything-told",
        "lending.library-opened",
    )
    assert REGISTRY.event("lending.everything-told") is EverythingTold
    assert REGISTRY.event("lending.book-lent") is BookBorrowed
    assert REGISTRY.event("lending.book-eaten") is None


def test_a_missing_field_with_a_default_is_filled_in() -> None:
    """Adding a field with a default needs no new version."""
    registry = EventRegistry((Grown,))
    envelope = evolve(FIRST, type="grown.thing-grown", data=b'{"thing":"t"}')
    assert decode_event(envelope, registry) == ThingGrown("t", "unknown")


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({"type": "lending.book-eaten"}, REGISTRY.names),
        ({"version": 4}, ("lending.book-borrowed 1 to 3",)),
        ({"type": "lending.library-opened", "version": 2}, ("lending.library-opened 1",)),
    ],
)
def test_what_no_class_reads_is_unknown_and_says_what_is_known(change: dict[str, Any], known: tuple[str, ...]) -> None:
    """A later publisher's event becomes a dead letter that a later deployment replays."""
    with pytest.raises(UnknownEvent) as caught:
        decode_event(evolve(FIRST, **change), REGISTRY)
    assert caught.value.known == known
    assert str(caught.value).endswith("Deploy the contracts that define it, then replay the dead letter.")


def test_a_version_that_is_no_longer_read_is_unknown() -> None:
    """`oldest` gives a chain an end."""
    envelope = evolve(FIRST, type="careless.thing-kept", data=b'{"thing":"t"}')
    registry = EventRegistry((Careless,))
    assert decode_event(evolve(envelope, version=3), registry) == ThingKept("t")
    with pytest.raises(UnknownEvent, match=r"known: careless\.thing-kept 3 to 4\."):
        decode_event(evolve(envelope, version=2), registry)


@pytest.mark.parametrize(
    ("envelope", "faults"),
    [
        (
            evolve(FIRST, version=3, data=b"{}"),
            {
                "book_id": "is missing",
                "patron": "is missing",
                "loan_id": "is missing",
                "occurred_at": "is missing",
            },
        ),
        (evolve(FIRST, version=3, data=b"[1]"), {"": "it is no JSON object"}),
        (
            evolve(FIRST, version=3, data=b"{"),
            {"": "it is not JSON (Expecting property name enclosed in double quotes at 1)"},
        ),
        (
            evolve(FIRST, type="careless.thing-done", data=b"{}"),
            {"": "its upcaster from version 1 raised KeyError: 'name'"},
        ),
        (
            evolve(FIRST, type="careless.thing-done", version=2, data=b"{}"),
            {"": "its upcaster from version 2 returned NoneType, not a mapping"},
        ),
    ],
)
def test_a_bad_payload_tells_every_fault(envelope: Envelope, faults: dict[str, str]) -> None:
    """Missing fields, no object, no JSON, and upcasters that go wrong."""
    with pytest.raises(BadPayload) as caught:
        decode_event(envelope, EventRegistry((LendingEvents, Careless)))
    assert (caught.value.type, caught.value.version, caught.value.faults) == (envelope.type, envelope.version, faults)


@given(JSON)
def test_no_payload_raises_anything_else(payload: Any) -> None:
    """Whatever a stranger sends is an event or an `UndecodableMessage`, in every version."""
    data = json.dumps(payload).encode()
    for version in (1, 2, 3):
        with suppress(UndecodableMessage):
            assert isinstance(decode_event(evolve(FIRST, version=version, data=data), REGISTRY), BookBorrowed)


def test_a_registry_of_an_event_without_identity_is_an_error() -> None:
    """Verification reports it with its place; a registry refuses to guess."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    class LetterSent(Letters):
        letter: str

    with pytest.raises(ConfigurationError) as caught:
        EventRegistry((Letters,))
    assert caught.value.codes == ("ER201", "ER207")
    assert LetterSent.__name__ in str(caught.value)


def test_an_upcast_time_may_be_given_as_a_value() -> None:
    """Upcasters need not spell what the envelope holds as a value already."""
    later = NOON + timedelta(days=1)
    event = decode_event(evolve(FIRST, time=later), REGISTRY)
    assert event == BookBorrowed(BOOK, 0, None, later)
