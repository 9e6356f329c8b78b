"""Stored identities: what a context writes down for itself, and reads after the code that wrote it has changed.

Flat and versioned like the contracts, in a registry that never meets the topics. Knows no queue, no store, no handler.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from attrs import Factory, define, field, frozen

from effect_runtime.errors import Code, ConfigurationError, Fault
from effect_runtime.integration._codec import encode_fields
from effect_runtime.integration._envelope import Envelope
from effect_runtime.integration._identity import Upcast, Upcaster, WireIdentity, statement_of
from effect_runtime.integration._reading import Reading, read, reading_of
from effect_runtime.integration._shape import is_attrs, is_frozen, record_misfits
from effect_runtime.integration._verification import (
    Finding,
    chain_faults,
    identity_findings,
    is_version,
    misfit_finding,
    place_of,
)

B = TypeVar("B")
U = TypeVar("U", bound=Upcast)

_STORED: Final = "__stored__"


@define
class _Record:
    """Hold what is known of one stored class; owned by the class, written at import, read afterwards.

    attrs builds a class with slots twice, and hands this on to the second.
    """

    wire: WireIdentity
    upcasters: dict[tuple[int, str], Upcaster] = Factory(dict)


def stored(
    identity: str, *, version: int = 1, oldest: int = 1, formerly: Sequence[str] = ()
) -> Callable[[type[B]], type[B]]:
    """Give a domain event or a command the identity under which it is stored. Write it below `@frozen`.

    Needed by the events of durable queues and by commands that are sent later. `identity` is stable for ever: rename
    the class at will. `version` counts changes that stored payloads notice, each with a `@stored_upcaster` from the
    version before, down to `oldest`. `formerly` are identities that it replaces.
    """

    def give(cls: type[B]) -> type[B]:
        wire = WireIdentity(name=identity, version=version, key=None, oldest=oldest, formerly=tuple(formerly))
        setattr(cls, _STORED, _Record(wire))
        return cls

    return give


def stored_upcaster(cls: type, *, version: int) -> Callable[[U], U]:
    """Register the function that turns a stored payload of `version` into one of the next version.

    It gets the payload, as plain JSON values, and the envelope; it returns a new payload and changes neither.
    """

    def register(function: U) -> U:
        record = _own_record(cls)
        if record is None or inspect.iscoroutinefunction(function):
            raise ConfigurationError(f"upcaster {statement_of(function)}", (_misplaced(cls, function),))
        # Keyed by its name too: a module that is loaded again replaces its upcaster instead of adding a second one.
        record.upcasters[version, statement_of(function)] = Upcaster(record.wire.name, version, function)
        return function

    return register


def stored_identity(cls: type) -> WireIdentity | None:
    """Return the stored identity that was given to this very class."""
    record = _own_record(cls)
    return None if record is None else record.wire


@frozen
class StoredForm:
    """A record as it is stored: its identity, its version, and its fields as canonical JSON."""

    name: str
    version: int
    data: bytes


def _unique(classes: Iterable[type]) -> tuple[type, ...]:
    return tuple(dict.fromkeys(classes))


@frozen
class StoredRegistry:
    """Know every class that one context stores, by each of its stored names.

    Build it after the context's modules are imported. Classes without a stored identity are left out: whether one is
    needed is for `stored_faults` to say.
    """

    classes: tuple[type, ...] = field(converter=_unique)
    _readings: Mapping[str, Reading] = field(init=False, repr=False, eq=False)
    _identities: Mapping[type, WireIdentity] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        found = tuple(_readings(self.classes))
        readings = {name: reading for reading in found for name in reading.wire.names}
        object.__setattr__(self, "_readings", MappingProxyType(readings))
        object.__setattr__(self, "_identities", MappingProxyType({each.event: each.wire for each in found}))

    def identity_of(self, cls: type) -> WireIdentity | None:
        """Return the identity under which instances of a class are stored; None for a class it does not know."""
        return self._identities.get(cls)

    def entry(self, envelope: Envelope) -> Reading:
        """Return what reads an envelope; raises `errors.UnknownEvent` for a type or version that nothing reads."""
        return reading_of(envelope, self._readings)

    def encode(self, record: object) -> StoredForm:
        """Return a record of a known class as it is stored.

        Raises `errors.Unserializable` if a field does not hold what its annotation says.
        """
        # The exact class: a subclass would be read back as its base.
        wire = self._identities[type(record)]
        return StoredForm(wire.name, wire.version, encode_fields(record))

    def decode(self, envelope: Envelope) -> Any:
        """Read what an envelope holds, brought up to the current version of its class.

        Raises `errors.UnknownEvent` or `errors.BadPayload`, both `errors.UndecodableMessage`, and nothing else.
        """
        return read(envelope, self.entry(envelope))


def stored_faults(classes: Iterable[type]) -> tuple[Fault, ...]:
    """Return every fault of the classes that one context stores: of each, and of the names that they share."""
    unique = _unique(classes)
    return (*(fault for cls in unique for fault in _class_faults(cls)), *_shared_names(unique))


def _own_record(cls: type) -> _Record | None:
    found: _Record | None = vars(cls).get(_STORED)
    return found


def _readings(classes: tuple[type, ...]) -> Iterator[Reading]:
    for cls in classes:
        record = _own_record(cls)
        if record is not None:
            upcasters = {step.version: step for step in record.upcasters.values()}
            yield Reading(event=cls, wire=record.wire, upcasters=upcasters)


def _class_faults(cls: type) -> Iterator[Fault]:
    findings = tuple(_findings(cls))
    place = place_of(cls) if findings else ""
    yield from (Fault(found.code, place=place, problem=found.problem, fix=found.fix) for found in findings)
    record = _own_record(cls)
    if record is not None and is_version(record.wire.version) and is_version(record.wire.oldest):
        yield from chain_faults(cls, record.wire, tuple(record.upcasters.values()), decorator="@stored_upcaster")


def _findings(cls: type) -> Iterator[Finding]:
    name, record = cls.__name__, _own_record(cls)
    if record is None:
        yield Finding(
            Code.ER114,
            f"{name} is written into the store and has no identity there.",
            'Write @stored("context.what-happened") below @frozen, right above the class.',
        )
    else:
        yield from identity_findings(name, record.wire)
    if not is_attrs(cls) or not is_frozen(cls):
        yield Finding(Code.ER207, f"{name} is no frozen attrs class.", "Write @attrs.frozen above @stored.")
    if is_attrs(cls):
        yield from (misfit_finding(name, misfit) for misfit in record_misfits(cls, flat=True))


def _shared_names(classes: tuple[type, ...]) -> Iterator[Fault]:
    owners: dict[str, type] = {}
    for cls in classes:
        wire = stored_identity(cls)
        for name in dict.fromkeys(() if wire is None else wire.names):
            owner = owners.setdefault(name, cls)
            if owner is not cls:
                yield Fault(
                    Code.ER115,
                    place=place_of(cls),
                    problem=f"{cls.__name__} and {statement_of(owner)} share the stored identity '{name}'.",
                    fix="Give each class an identity of its own.",
                )


def _misplaced(cls: type, function: Any) -> Fault:
    return Fault(
        Code.ER211,
        place=place_of(function),
        problem=f"The upcaster {function.__qualname__} for {cls.__name__} cannot be used.",
        fix="Write a plain function, for a class that has its own @stored.",
    )
