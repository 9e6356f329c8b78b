"""Whether what is written down can be read again: events of every version, stored records, commands and their answers.

Draws values and encodes them as production does. Knows no store and no wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from effect_runtime.app import App
from effect_runtime.dispatch import Command, Context
from effect_runtime.errors import EffectRuntimeError, NotRoundTripping
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
    topic_events,
)
from effect_runtime.manifest import EventContract, WireManifest
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._messages import Overrides, Pools, event_of, message_of, signature_of
from effect_runtime.testing.properties._payloads import payloads

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
        except EffectRuntimeError as error:
            raise NotRoundTripping(self.subject, value=repr(value), outcome=str(error)) from error
        if read != value:
            raise NotRoundTripping(self.subject, value=repr(value), outcome=repr(read))


def assert_round_trips(
    source: Source,
    *,
    manifest: WireManifest | None = None,
    pools: Pools | None = None,
    overrides: Overrides | None = None,
    examples: int = 50,
) -> None:
    """Draw values of everything that a topic, a context or an application writes, and read each again.

    That is: events through envelope and message; records under a `@stored` identity; the fields of commands, and
    their answers. With the committed `manifest`, events of older versions too: payloads of their shapes must be
    brought up to date, and then stay what they are. Raises `errors.NotRoundTripping` for the simplest value found.
    """
    for trip in trips_of(source, manifest, Derivation(pools or {}, overrides or {})):
        _travel(trip, examples)


def trips_of(source: Source, manifest: WireManifest | None, derivation: Derivation) -> Iterator[Trip]:
    """Yield every trip that something makes."""
    if isinstance(source, type):
        yield from _events_of_topic(source, manifest, derivation)
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
    for event in topic_events(topic):
        wire, current = event_identity(event), event_of(event, derivation)
        yield Trip(f"{wire.name} version {wire.version}", current, partial(_over_the_wire, registry))
        contract = promised.get(wire.name)
        for version, shapes in {} if contract is None else _older(contract, wire.oldest, wire.version):
            yield Trip(
                f"{wire.name} version {version}",
                _old_envelopes(event, version, shapes, current),
                partial(_brought_up, registry),
            )


def _older(contract: EventContract, oldest: int, version: int) -> Iterable[tuple[int, Mapping[str, FieldShape]]]:
    return [(each, shapes) for each, shapes in contract.shapes.items() if oldest <= each < version]


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
        return evolve(envelope, version=version, data=json.dumps(payload).encode())

    return st.builds(build, current, payloads(shapes))


def _brought_up(registry: EventRegistry, envelope: Envelope) -> Envelope:
    """Read an old envelope, and return it if what was read stays what it is."""
    event = decode_event(envelope, registry)
    again = _over_the_wire(registry, event)
    if again != event:
        raise NotRoundTripping(type(event).__name__, value=repr(event), outcome=repr(again))
    return envelope


def _stored_of(context: Context[Any, Any], derivation: Derivation) -> Iterator[Trip]:
    commands = [signature_of(command).message for command in context.commands]
    classes = [*(each.event for each in context.after_commits if each.queue.durable), *commands]
    kept = [cls for cls in dict.fromkeys(classes) if isinstance(cls, type) and stored_identity(cls) is not None]
    registry = StoredRegistry(kept)
    for cls in kept:
        yield Trip(f"stored {cls.__name__}", derivation.record(cls), partial(_stored_and_read, registry))


def _stored_and_read(registry: StoredRegistry, record: Any) -> Any:
    form = registry.encode(record)
    envelope = Envelope(
        id="1",
        source="test",
        type=form.name,
        version=form.version,
        topic="test",
        time=_MOMENT,
        data=form.data,
        correlation="1",
    )
    return registry.decode(envelope)


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
