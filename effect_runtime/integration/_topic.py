"""Topics: the base classes that one context owns and whose subclasses are its integration events.

A topic class holds the record of its own events and upcasters: definition data, complete once its modules are
imported. Knows no context, no codec, no store.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from effect_runtime.errors import Code, ConfigurationError, Fault, raise_faults
from effect_runtime.integration._identity import (
    TOPIC,
    WIRE,
    TopicRecord,
    Upcast,
    Upcaster,
    WireIdentity,
    own_wire,
    statement_of,
    topic_record,
)
from effect_runtime.integration._verification import event_faults, place_of, topic_name_faults

B = TypeVar("B")
U = TypeVar("U", bound=Upcast)


class Topic:
    """Be the base of a topic: `class LendingEvents(Topic, name="lending")`, in contracts that others may import.

    Subclasses of a topic are its events. Faults of an event are raised together as `errors.ConfigurationError` where
    it is defined; what can only be seen later (a missing `@frozen`, duplicates, forward references) when contexts
    are built.
    """

    __slots__ = ()

    def __init_subclass__(cls, *, name: str | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if TOPIC in vars(cls):
            return  # attrs builds a class with slots a second time, without the class keywords.
        record = topic_record(cls)
        if record is None:
            raise_faults(f"topic {cls.__name__}", topic_name_faults(cls, name))
            setattr(cls, TOPIC, TopicRecord(str(name)))
            return
        if name is not None:
            raise_faults(f"topic {cls.__name__}", (_nested(cls, record.name),))
        record.events[statement_of(cls)] = cls

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        record = topic_record(cls)
        if record is None or TOPIC in vars(cls):
            return
        faults = event_faults(cls, building=False)
        if faults:
            # A refused class must not be reported a second time when contexts are built.
            record.events.pop(statement_of(cls), None)
        raise_faults(f"integration event {cls.__name__}", faults)


def integration_event(
    identity: str, *, version: int = 1, key: str | None = None, oldest: int = 1, formerly: Sequence[str] = ()
) -> Callable[[type[B]], type[B]]:
    """Give an event its wire identity. Write it below `@frozen`, right above the class.

    `identity` is stable for ever: rename the class at will. `key` names the field whose value orders the events: those
    of one key arrive in the order of their commits. `version` counts changes that older readers or writers notice,
    each with an `@upcaster` from the version before, down to `oldest`. `formerly` are identities that it replaces.
    """

    def give(cls: type[B]) -> type[B]:
        if topic_record(cls) is None:
            raise_faults(f"integration event {cls.__name__}", (_homeless(cls),))
        # Nothing is judged yet: attrs has not built the class, so neither its fields nor its being frozen can be
        # seen.
        wire = WireIdentity(name=identity, version=version, key=key, oldest=oldest, formerly=tuple(formerly))
        setattr(cls, WIRE, wire)
        return cls

    return give


def upcaster(event: type[Topic], *, version: int) -> Callable[[U], U]:
    """Register the function that turns a payload of `version` into one of the next version.

    It gets the payload, as plain JSON values, and the envelope; it returns a new payload and changes neither.
    """

    def register(function: U) -> U:
        record, wire = topic_record(event), own_wire(event)
        if record is None or wire is None or inspect.iscoroutinefunction(function):
            raise ConfigurationError(f"upcaster {statement_of(function)}", (_misplaced(event, function),))
        # Keyed by its name too: a module that is loaded again replaces its upcaster instead of adding a second one.
        record.upcasters[wire.name, version, statement_of(function)] = Upcaster(wire.name, version, function)
        return function

    return register


def topic_name(cls: type[Topic]) -> str:
    """Return the wire name of a topic, or of the topic that an event belongs to."""
    record = topic_record(cls)
    if record is None:
        raise ConfigurationError(f"topic {cls.__name__}", topic_name_faults(cls, None))
    return record.name


def topic_events(topic: type[Topic]) -> tuple[type[Topic], ...]:
    """Return the event classes of a topic, in the order of their definition."""
    record = topic_record(topic)
    return tuple(record.events.values()) if record else ()


def event_identity(event: type[Topic]) -> WireIdentity:
    """Return the wire identity of an event class; a class without one is a `errors.ConfigurationError`."""
    wire = own_wire(event)
    if wire is None:
        raise ConfigurationError(f"integration event {event.__name__}", event_faults(event))
    return wire


def _nested(cls: type, topic: str) -> Fault:
    return Fault(
        Code.ER212,
        place=place_of(cls),
        problem=f"{cls.__name__} is a topic inside the topic '{topic}'.",
        fix="Derive a topic from Topic only.",
    )


def _homeless(cls: type) -> Fault:
    return Fault(
        Code.ER203,
        place=place_of(cls),
        problem=f"{cls.__name__} has an identity and belongs to no topic.",
        fix="Derive it from a topic: `class LendingEvents(Topic, name=...)`, `class BookBorrowed(LendingEvents)`.",
    )


def _misplaced(event: type, function: Any) -> Fault:
    return Fault(
        Code.ER211,
        place=place_of(function),
        problem=f"The upcaster {function.__qualname__} for {event.__name__} cannot be used.",
        fix="Write a plain function, for a class that has its own @integration_event.",
    )
