"""What is wrong with topics and integration events, as faults with stable codes.

Pure functions over classes: a definition asks for one event, `Context.build` for all topics at once. Knows no codec.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import attrs
from attrs import frozen

from effect_runtime.errors import Code, Fault
from effect_runtime.integration._identity import (
    TOPIC,
    WIRE,
    TopicRecord,
    Upcaster,
    WireIdentity,
    own_wire,
    statement_of,
    topic_record,
)
from effect_runtime.integration._shape import (
    UNRESOLVED,
    Misfit,
    fits_key,
    hints,
    is_attrs,
    is_frozen,
    name_of,
    record_misfits,
)

_WORD: Final = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_WORD}(?:\.{_WORD})+")
_TOPIC_NAME: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_LONGEST: Final = 200


@frozen
class Finding:
    """A fault that has no place yet."""

    code: Code
    problem: str
    fix: str


def event_faults(event: type, *, building: bool = True) -> tuple[Fault, ...]:
    """Return every fault of one event class.

    Where it is defined, annotations may still name what follows in its module: `building` refuses those as well.
    """
    findings = tuple(_event(event, building))
    # Finding a place reads the source file, which a sound definition should not pay for.
    place = place_of(event) if findings else ""
    return tuple(Fault(found.code, place=place, problem=found.problem, fix=found.fix) for found in findings)


def topic_faults(topic: type) -> tuple[Fault, ...]:
    """Return every fault of a topic, of its events and of their upcasters."""
    record = topic_record(topic)
    if record is None:
        return (_no_topic(topic),)
    faults = [fault for event in record.events.values() for fault in event_faults(event)]
    return (*faults, *_chains(record))


def registry_faults(topics: Iterable[type]) -> tuple[Fault, ...]:
    """Return every fault of several topics, with the names that they give twice."""
    unique = tuple(dict.fromkeys(topics))
    return (
        *(fault for topic in unique for fault in topic_faults(topic)),
        *_shared_topic_names(unique),
        *_shared_identities(unique),
    )


def topic_name_faults(topic: type, name: str | None) -> tuple[Fault, ...]:
    """Return what is wrong with the name that a topic class gives itself."""
    if name is not None and _TOPIC_NAME.fullmatch(name) and len(name) <= _LONGEST:
        return ()
    return (
        Fault(
            Code.ER212,
            place=place_of(topic),
            problem=f"The topic {topic.__name__} has no name." if name is None else f"The name {name!r} is malformed.",
            fix=f'Write `class {topic.__name__}(Topic, name="lower-case-words")`.',
        ),
    )


def place_of(defined: Any) -> str:
    """Return where a class or function stands: file, line and qualified name as far as they are known."""
    name = f"{defined.__module__}.{defined.__qualname__}"
    try:
        return f"{inspect.getsourcefile(defined)}:{inspect.getsourcelines(defined)[1]} {name}"
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, or in a file that is not Python
        return name


def _event(event: type, building: bool) -> Iterator[Finding]:
    name, wire = event.__name__, own_wire(event)
    if getattr(event, "__domain_event__", False) or len(_topics(event)) > 1:
        yield _mixed(name)
    if wire is None:
        yield _nameless(event) if getattr(event, WIRE, None) is None else _inherited(event)
    else:
        yield from identity_findings(name, wire)
    if not is_attrs(event):
        yield _not_frozen(f"{name} was not made by attrs.")
        return
    if not is_frozen(event):
        yield _not_frozen(f"{name} can be changed after it was built.")
    misfits = (misfit for misfit in record_misfits(event, flat=True) if building or not misfit.unresolved)
    yield from (misfit_finding(name, misfit) for misfit in misfits)
    if wire is not None and wire.key is not None:
        yield from _key(event, wire.key)


def _topics(event: type) -> set[int]:
    # By the record, which both builds of a class with slots share.
    return {id(vars(base)[TOPIC]) for base in event.__mro__ if TOPIC in vars(base)}


def _mixed(name: str) -> Finding:
    return Finding(
        Code.ER213,
        f"{name} has more than one event base.",
        "Give each topic its own class, and tell the inside with a DomainEvent of its own.",
    )


def _nameless(event: type) -> Finding:
    return Finding(
        Code.ER201,
        f"{event.__name__} has no wire identity.",
        'Write @integration_event("context.what-happened", key="field") below @frozen, right above the class.',
    )


def _inherited(event: type) -> Finding:
    owner = next(base.__name__ for base in event.__mro__ if own_wire(base))
    return Finding(
        Code.ER204,
        f"{event.__name__} inherits the identity of {owner}.",
        f"Give {event.__name__} an @integration_event of its own, or do not derive it from an event.",
    )


def identity_findings(event: str, wire: WireIdentity) -> Iterator[Finding]:
    """Find what is wrong with the name and the versions of a class."""
    for name in wire.names:
        if not _NAME.fullmatch(str(name)) or len(name) > _LONGEST:
            yield Finding(
                Code.ER203,
                f"The identity {name!r} of {event} is malformed.",
                'Write lower-case words with dashes, and at least two parts with dots: "lending.book-borrowed".',
            )
    if not is_version(wire.version) or not is_version(wire.oldest) or wire.oldest > wire.version:
        yield Finding(
            Code.ER203,
            f"{event} has version {wire.version!r}, read from version {wire.oldest!r} on.",
            "Count versions from 1, and let `oldest` be at most `version`.",
        )


def is_version(version: object) -> bool:
    """Tell whether something counts versions."""
    return isinstance(version, int) and not isinstance(version, bool) and 1 <= version < 2**31


def _not_frozen(problem: str) -> Finding:
    return Finding(Code.ER207, problem, "Write @attrs.frozen above @integration_event.")


def misfit_finding(event: str, misfit: Misfit) -> Finding:
    """Say which field cannot travel."""
    return Finding(
        Code.ER206 if misfit.nested else Code.ER208,
        f"The field '{misfit.path}' of {event}: {misfit.problem}.",
        "Use scalars, enums, typed ids, `T | None` and tuples of those, or frozen classes marked @value_record.",
    )


def _key(event: type, key: str) -> Iterator[Finding]:
    names = [field.name for field in attrs.fields(event) if field.init]
    if key not in names:
        problem = f"The key '{key}' of {event.__name__} is none of its fields ({', '.join(names) or 'it has none'})."
    else:
        try:
            kind = hints(event)[key]
        except UNRESOLVED:
            return  # A fault of its own.
        if fits_key(kind):
            return
        problem = f"The key '{key}' of {event.__name__} is {name_of(kind)}."
    yield Finding(
        Code.ER205,
        problem,
        "Name a field that holds text, a whole number, a UUID, a date, an enum or a typed id, and is never None.",
    )


def _chains(record: TopicRecord) -> Iterator[Fault]:
    for event in record.events.values():
        wire = own_wire(event)
        if wire is not None and is_version(wire.version) and is_version(wire.oldest):
            steps = [step for step in record.upcasters.values() if step.event == wire.name]
            yield from chain_faults(event, wire, steps)


def chain_faults(
    event: type, wire: WireIdentity, steps: Sequence[Upcaster], *, decorator: str = "@upcaster"
) -> Iterator[Fault]:
    """Find what is wrong with the upcasters of one class."""
    by_version: dict[int, list[Upcaster]] = defaultdict(list)
    for step in steps:
        by_version[step.version].append(step)
    broken = partial(_broken, decorator)
    needed = range(wire.oldest, wire.version)
    for version in needed:
        if version not in by_version:
            yield broken(event, f"has no upcaster from version {version} to {version + 1}")
    for version, found in by_version.items():
        if len(found) > 1:
            yield broken(event, f"has {len(found)} upcasters from version {version}", found[-1].function)
        elif version not in needed:
            span = f"versions {wire.oldest} to {wire.version}"
            yield broken(event, f"has {span}; an upcaster from version {version} leads nowhere", found[0].function)


def _broken(decorator: str, event: type, problem: str, where: Any = None) -> Fault:
    return Fault(
        Code.ER211,
        place=place_of(event if where is None else where),
        problem=f"{event.__name__} {problem}.",
        fix=f"Write exactly one {decorator} for each version from `oldest` to the one before `version`.",
    )


def _no_topic(cls: type) -> Fault:
    return Fault(
        Code.ER212,
        place=place_of(cls),
        problem=f"{cls.__name__} is no topic.",
        fix=f'Derive it from Topic and name it: `class {cls.__name__}(Topic, name="...")`.',
    )


def _shared_topic_names(topics: tuple[type, ...]) -> Iterator[Fault]:
    by_name: dict[str, list[type]] = defaultdict(list)
    for topic in topics:
        if (record := topic_record(topic)) is not None:
            by_name[record.name].append(topic)
    for name, sharing in by_name.items():
        if len(sharing) > 1:
            yield Fault(
                Code.ER212,
                place=place_of(sharing[-1]),
                problem=f"The topics {_named(sharing)} share the name '{name}'.",
                fix="Give one of them another name, or import one topic from one module only.",
            )


def _shared_identities(topics: tuple[type, ...]) -> Iterator[Fault]:
    by_name: dict[str, list[type]] = defaultdict(list)
    for record in filter(None, map(topic_record, topics)):
        for event in record.events.values():
            wire = own_wire(event)
            for name in dict.fromkeys(wire.names if wire else ()):
                by_name[name].append(event)
    for name, sharing in by_name.items():
        if len(sharing) > 1:
            yield Fault(
                Code.ER202,
                place=place_of(sharing[-1]),
                problem=f"{_named(sharing)} share the identity '{name}'.",
                fix="Give each event class an identity of its own.",
            )


def _named(classes: list[type]) -> str:
    return " and ".join(statement_of(cls) for cls in classes)
