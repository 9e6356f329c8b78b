"""Whether what is written down can be read again: events of every version, stored records, commands and their answers.

Draws values and encodes them as production does. Knows no store and no wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
from attrs import frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from effect_runtime.app import App
from effect_runtime.dispatch import Command, Context
from effect_runtime.errors import EffectRuntimeError, NoStrategy, NotRoundTripping, NotSimulated
from effect_runtime.integration import (
    Envelope,
    EventRegistry,
    FieldErrors,
    FieldShape,
    StoredRegistry,
    Topic,
    decode_event,
    decode_message,
    decode_value,
    encode_fields,
    encode_message,
    encode_value,
    event_identity,
    field_shapes,
    make_envelope,
    stored_identity,
    structure_all,
)
from effect_runtime.manifest import WireManifest
from effect_runtime.testing.properties._alike import alike
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._messages import Overrides, Pools, event_of, events_in, message_of, signature_of
from effect_runtime.testing.properties._payloads import payloads
from effect_runtime.testing.properties._versions import Upgrade, as_payloads, in_envelope

Source: TypeAlias = type[Topic] | Context[Any, Any] | App

_MOMENT: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)


@frozen
class Trip:
    """Something that is written and read again: `there_and_back` answers with what must equal its argument."""

    subject: str
    values: SearchStrategy[Any]
    there_and_back: Callable[[Any], Any]

    def holds_for(self, value: Any) -> None:
        """Go once; raises `errors.NotRoundTripping`."""
        try:
            read = self.there_and_back(value)
        except NotRoundTripping as error:
            raise NotRoundTripping(self.subject, value=error.value, outcome=error.outcome) from error.__cause__
        except EffectRuntimeError as error:
            raise NotRoundTripping(self.subject, value=_told(value), outcome=str(error)) from error
        if not alike(value, read):
            raise NotRoundTripping(self.subject, value=_told(value), outcome=repr(read))


def _told(value: Any) -> str:
    return value.data.decode() if isinstance(value, Envelope) else repr(value)


def assert_round_trips(
    source: Source,
    *,
    manifest: WireManifest | None = None,
    pools: Pools | None = None,
    overrides: Overrides | None = None,
    examples: int = 50,
) -> None:
    """Draw values of everything that a topic, a context or an application writes, and read each again.

    That is: events through envelope and message; records under each of their `@stored` identities; the fields of
    commands, and their answers. Older versions, too: their payloads must be brought up to date, lose no field that is
    still there, and then stay what they are. Those of events follow from the committed `manifest`; of others nobody
    remembers the shape, so `overrides` says what they were: a strategy of payloads, or of instances of a class as it
    was, under `(Event, version)`. Raises `errors.NotRoundTripping` for the simplest value found, and
    `errors.NoStrategy` for a version of a stored record that nobody remembers.
    """
    trips = [*trips_of(source, manifest, Derivation(pools or {}, overrides or {}))]
    if not trips:
        reason = "it writes nothing; give a topic, an event, a context whose modules are imported, or an App"
        raise NotSimulated(f"round trips of {source!r}", reason=reason)
    for trip in trips:
        _travel(trip, examples)


def trips_of(source: Source, manifest: WireManifest | None, derivation: Derivation) -> Iterator[Trip]:
    """Yield every trip that something makes."""
    if isinstance(source, type) and issubclass(source, Topic):
        yield from _events_of_topic(source, manifest, derivation)
        return
    if not isinstance(source, App | Context):
        return
    if isinstance(source, App):
        source.build()  # imports the modules that its contexts name
    contexts = [binding.context for binding in source.bindings] if isinstance(source, App) else [source]
    topics = source.topics if isinstance(source, App) else source.publishes
    for topic in topics:
        yield from _events_of_topic(topic, manifest, derivation)
    for context in contexts:
        yield from _stored_of(context, derivation)
        for command in context.commands:
            yield from _of_command(command, derivation)


def _travel(trip: Trip, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(trip.values)
    def there_and_back(value: Any) -> None:
        trip.holds_for(value)

    there_and_back()


def _events_of_topic(topic: type[Topic], manifest: WireManifest | None, derivation: Derivation) -> Iterator[Trip]:
    registry = EventRegistry((topic,))
    promised = {} if manifest is None else {name: each for each in manifest.events for name in each.names}
    over_the_wire = partial(_over_the_wire, registry)
    for event in events_in(topic):
        wire, current = event_identity(event), event_of(event, derivation)
        yield Trip(f"{wire.name} version {wire.version}", current, over_the_wire)
        contract = promised.get(wire.name)
        remembered = {} if contract is None else contract.shapes
        for version in range(wire.oldest, wire.version):
            payload = derivation.overrides.get((event, version))
            if payload is not None:
                old = st.builds(in_envelope, current.map(_envelope), st.just(version), as_payloads(payload))
            elif version in remembered:
                old = _old_envelopes(event, version, remembered[version], current)
            else:
                continue
            brought_up = Upgrade(registry.entry, partial(decode_event, registry=registry), over_the_wire)
            yield Trip(f"{wire.name} version {version}", old, brought_up)


def _over_the_wire(registry: EventRegistry, event: Topic) -> Topic:
    return decode_event(decode_message(encode_message(_envelope(event))), registry)


def _envelope(event: Topic) -> Envelope:
    return make_envelope(event, id="1", source="test", time=_MOMENT, correlation="1")


def _old_envelopes(
    event: type[Topic], version: int, shapes: Mapping[str, FieldShape], current: SearchStrategy[Any]
) -> SearchStrategy[Envelope]:
    """Draw payloads of an older version. Fields that look as they do now hold what they may hold now."""
    kept = {path for path, shape in field_shapes(event).items() if shapes.get(path) == shape}
    tops = [path for path in kept if path.isidentifier()]

    def build(now: Topic, fields: dict[str, Any]) -> Envelope:
        envelope = _envelope(now)
        present = json.loads(envelope.data)
        payload = fields | {name: present[name] for name in tops if name in fields and name in present}
        return in_envelope(envelope, version, payload)

    return st.builds(build, current, payloads(shapes))


def _stored_of(context: Context[Any, Any], derivation: Derivation) -> Iterator[Trip]:
    commands = [signature_of(command).message for command in context.commands]
    classes = [*(each.event for each in context.after_commits if each.queue.durable), *commands]
    kept = {cls: stored_identity(cls) for cls in dict.fromkeys(classes) if isinstance(cls, type)}
    registry = StoredRegistry([cls for cls, wire in kept.items() if wire is not None])
    stored_and_read = partial(_stored_and_read, registry)
    for cls, wire in kept.items():
        if wire is None:
            continue
        current = derivation.record(cls)
        yield Trip(f"stored {cls.__name__}", current, stored_and_read)
        for version in range(wire.oldest, wire.version):
            payload = derivation.overrides.get((cls, version))
            if payload is None:
                subject, key = f"stored {wire.name} version {version}", f"({cls.__name__}, {version})"
                raise NoStrategy(subject, key=key, reason="nobody remembers what it looked like")
            empty = st.sampled_from([_kept(name, version, b"{}") for name in wire.names])
            old = st.builds(in_envelope, empty, st.just(version), as_payloads(payload))
            yield Trip(f"{wire.name} version {version}", old, Upgrade(registry.entry, registry.decode, stored_and_read))


def _stored_and_read(registry: StoredRegistry, record: Any) -> Any:
    """Read a record under its name, and under each that it had before."""
    form, wire = registry.encode(record), registry.identity_of(type(record))
    assert wire is not None  # or it could not have been encoded
    *former, last = [registry.decode(_kept(name, form.version, form.data)) for name in reversed(wire.names)]
    return next((read for read in former if not alike(read, last)), last)


def _kept(name: str, version: int, data: bytes) -> Envelope:
    return Envelope(
        id="1", source="test", type=name, version=version, topic="test", time=_MOMENT, data=data, correlation="1"
    )


def _of_command(command: Command[Any, Any, Any, Any], derivation: Derivation) -> Iterator[Trip]:
    signature = signature_of(command)
    if attrs.has(signature.message):
        yield Trip(f"command {command.title}", message_of(command, derivation), _sent_as_fields)
    answers = derivation.of(signature.answer, place=f"{command.title}'s answer")
    yield Trip(f"the answer of {command.title}", answers, partial(_answered, signature.answer))


def _sent_as_fields(message: Any) -> Any:
    found = structure_all(type(message), json.loads(encode_fields(message)))
    if isinstance(found, FieldErrors):
        problems = "; ".join(f"{each.field}: {each.problem}" for each in found.fields)
        raise NotRoundTripping(type(message).__name__, value=repr(message), outcome=problems)
    return found


def _answered(kind: Any, answer: Any) -> Any:
    return decode_value(encode_value(answer, kind), kind)
