"""Which class reads which event, and the two ways across: an event into an envelope, an envelope into an event.

A registry is a value made from topics once their modules are imported. Knows no store, no wire, no handler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from effect_runtime.integration._codec import encode_fields
from effect_runtime.integration._envelope import Envelope
from effect_runtime.integration._identity import WireIdentity, topic_record
from effect_runtime.integration._key import KeySpelling, key_spelling
from effect_runtime.integration._message import refuse_flaws
from effect_runtime.integration._reading import Reading, read, reading_of
from effect_runtime.integration._topic import Topic, event_identity, topic_events, topic_name


def _unique(topics: Iterable[type[Topic]]) -> tuple[type[Topic], ...]:
    return tuple(dict.fromkeys(topics))


@frozen
class EventRegistry:
    """Know every event of some topics, by each of its names on the wire.

    Build it after the modules of the contracts are imported; it does not see what is defined later. What is wrong
    with the topics is for `registry_faults` to say: here an event without identity is an error.
    """

    topics: tuple[type[Topic], ...] = field(converter=_unique)
    _entries: Mapping[str, Reading] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        entries = {name: entry for entry in _entries(self.topics) for name in entry.wire.names}
        object.__setattr__(self, "_entries", MappingProxyType(entries))

    @property
    def names(self) -> tuple[str, ...]:
        """Return every wire identity that can be read, current and former."""
        return tuple(self._entries)

    def event(self, name: str) -> type[Topic] | None:
        """Return the class that reads a wire identity."""
        entry = self._entries.get(name)
        return entry.event if entry else None

    def entry(self, envelope: Envelope) -> Reading:
        """Return what reads an envelope; raises `errors.UnknownEvent` for a type or version that nothing reads."""
        return reading_of(envelope, self._entries)


def make_envelope(
    event: Topic,
    *,
    id: str,
    source: str,
    time: datetime,
    correlation: str,
    causation: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
    tenant: str | None = None,
) -> Envelope:
    """Put an event into its envelope; the store numbers it when the unit of work commits.

    Raises `errors.Unserializable` if a field does not hold what its annotation says.
    """
    form = _form(event)
    envelope = Envelope(
        id=id,
        source=source,
        type=form.wire.name,
        version=form.wire.version,
        topic=form.topic,
        time=time,
        data=encode_fields(event),
        correlation=correlation,
        key=form.key(event),
        causation=causation,
        traceparent=traceparent,
        tracestate=tracestate,
        tenant=tenant,
    )
    refuse_flaws(envelope)
    return envelope


def decode_event(envelope: Envelope, registry: EventRegistry) -> Topic:
    """Read the event in an envelope, brought up to the current version of its class.

    Raises `errors.UnknownEvent` or `errors.BadPayload`, both `errors.UndecodableMessage`, and nothing else. Unknown
    fields are ignored, so that a publisher may add some.
    """
    event: Topic = read(envelope, registry.entry(envelope))
    return event


def event_key(event: Topic) -> str | None:
    """Return the text by which events of one key are ordered, or None for an event without a key."""
    return _form(event).key(event)


@frozen
class _Form:
    """What every envelope of one event class has in common."""

    wire: WireIdentity
    topic: str
    spelling: KeySpelling | None

    def key(self, event: Topic) -> str | None:
        """Spell the key of one event."""
        return None if self.spelling is None else self.spelling.of(event)


def _form(event: Topic) -> _Form:
    cls: Any = type(event)  # mypy takes the __hash__ of an instance for the class's own
    return _form_of(cls)


@cache
def _form_of(event: Any) -> _Form:
    wire = event_identity(event)
    return _Form(wire, topic_name(event), None if wire.key is None else key_spelling(event, wire.key))


def _entries(topics: Iterable[type[Topic]]) -> Iterable[Reading]:
    for topic in topics:
        record = topic_record(topic)
        for event in topic_events(topic):
            wire = event_identity(event)
            steps = record.upcasters.values() if record else ()
            upcasters = {step.version: step for step in steps if step.event == wire.name}
            yield Reading(event=event, wire=wire, upcasters=upcasters)
