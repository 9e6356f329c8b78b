"""What older versions wrote: stored records and events, with upcasters that keep it and upcasters that do not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from attrs import field, frozen
from hypothesis import strategies as st

from effect_runtime import Context, Do, DomainEvent, Topic, do, integration_event, succeed
from effect_runtime.dispatch import EventQueue, stored, stored_upcaster
from effect_runtime.effect import Eff
from effect_runtime.errors import NoStrategy, NotRoundTripping
from effect_runtime.integration import Envelope, Payload, upcaster
from effect_runtime.testing.properties import assert_round_trips, values_of


@frozen
@stored("post.stamp", version=3, formerly=["post.frank"])
class Stamp:
    """A command that is sent later: it had a price as text, then in cents, and now a currency."""

    letter: str
    cents: int
    currency: str = "EUR"


@stored_upcaster(Stamp, version=1)
def in_cents(payload: Payload, envelope: Envelope) -> Payload:
    """Read the price."""
    return {"letter": payload["letter"], "cents": int(payload["price"])}


@stored_upcaster(Stamp, version=2)
def in_euro(payload: Payload, envelope: Envelope) -> Payload:
    """Say the currency."""
    return {**payload, "currency": "EUR"}


@frozen
class StampWithPrice:
    """A stamp as it was at first."""

    letter: str
    price: int


post = Context("post", object)


@post.command(access="public")
def stamp(command: Stamp) -> Eff[None]:
    """Do nothing."""
    return succeed(None)


PAYLOADS = st.fixed_dictionaries({"letter": st.text(max_size=3), "cents": st.integers(0, 9)})


def test_a_version_that_nobody_remembers_is_named() -> None:
    """A stored record of two versions says nothing of the first: what to write is said."""
    with pytest.raises(NoStrategy) as caught:
        assert_round_trips(post)
    assert str(caught.value) == (
        "no strategy for stored post.stamp version 1: nobody remembers what it looked like. "
        "Say what its values are: overrides={(Stamp, 1): ...}, with a strategy of hypothesis."
    )


def test_stored_records_of_all_versions_are_brought_up() -> None:
    """A version is told by its class as it was, or by its payloads; each goes through every upcaster."""
    assert_round_trips(post, overrides={(Stamp, 1): values_of(StampWithPrice), (Stamp, 2): PAYLOADS})


def test_an_old_payload_that_an_upcaster_does_not_take_is_shown() -> None:
    """A payload without what the upcaster asks for cannot be read."""
    with pytest.raises(NotRoundTripping, match="its upcaster from version 1 raised KeyError: 'price'") as caught:
        assert_round_trips(post, overrides={(Stamp, 1): PAYLOADS, (Stamp, 2): PAYLOADS})
    assert caught.value.subject == "post.stamp version 1"


@frozen
@stored("post.lost", version=2)
class LostOccurred(DomainEvent):
    """An event for a durable queue, whose reason is new."""

    letter: str
    note: str = ""
    reason: str = field(default="", kw_only=True)


@stored_upcaster(LostOccurred, version=1)
def forgets_the_note(payload: Payload, envelope: Envelope) -> Payload:
    """Hand on the letter alone."""
    return {"letter": payload["letter"], "reason": "unknown"}


tracing = Context("tracing", object)


@tracing.after_commit(LostOccurred, queue=EventQueue("tracing", durable=True))
@do
def trace(event: LostOccurred) -> Do[None, Any, object]:
    """Do nothing."""
    yield from succeed(None)


def test_a_field_that_an_upcaster_leaves_out_is_shown() -> None:
    """What is still a field, and would be left to its default, is a loss; what is no field any more is none."""
    old = st.fixed_dictionaries({"letter": st.just("a"), "note": st.just("b"), "gone": st.just("c")})
    with pytest.raises(NotRoundTripping) as caught:
        assert_round_trips(tracing, overrides={(LostOccurred, 1): old})
    assert str(caught.value) == (
        "post.lost version 1 does not survive its own encoding\n"
        '  written: {"letter": "a", "note": "b", "gone": "c"}\n'
        "  read:    LostOccurred(letter='a', note='', reason='unknown'), without what note held: an upcaster leaves it "
        "out\n"
        "Make its converters and validators take what they produce, or correct the upcaster."
    )


class MailEvents(Topic, name="mail"):
    """Events with an upcaster that does something else each time."""

    __slots__ = ()


@frozen
@integration_event("mail.sent", version=2)
class MailSent(MailEvents):
    """A letter has left, under an id."""

    letter: str
    id: str


@upcaster(MailSent, version=1)
def draws_an_id(payload: Payload, envelope: Envelope) -> Payload:
    """Make up an id that was not there."""
    return {**payload, "id": str(uuid4())}


def test_an_upcaster_that_draws_is_shown() -> None:
    """Two readings of one event must be the same; events of old versions can be told without a manifest, too."""
    with pytest.raises(NotRoundTripping) as caught:
        assert_round_trips(MailEvents, overrides={(MailSent, 1): st.just({"letter": "a"})})
    assert caught.value.subject == "mail.sent version 1"
    assert caught.value.value != caught.value.outcome
    assert caught.value.value.startswith("MailSent(letter='a', id=")


class QuietEvents(Topic, name="quiet"):
    """An event with a field that does not count in comparisons."""

    __slots__ = ()


def louder(volume: int) -> int:
    """Add one."""
    return volume + 1


@frozen
@integration_event("quiet.said")
class Said(QuietEvents):
    """Something that is louder each time it is read."""

    volume: int = field(eq=False, converter=louder)


def test_fields_that_do_not_count_are_compared() -> None:
    """What equality leaves out is written, too."""
    with pytest.raises(NotRoundTripping, match=r"read:    Said\(volume=2\)"):
        assert_round_trips(QuietEvents)


class CalmEvents(Topic, name="calm"):
    """An event without equality."""

    __slots__ = ()


@frozen(eq=False)
@integration_event("calm.thought")
class Thought(CalmEvents):
    """Something that equals nothing but itself."""

    text: str


def test_what_equals_nothing_is_looked_into() -> None:
    """A class without equality is no false alarm."""
    assert_round_trips(CalmEvents)
