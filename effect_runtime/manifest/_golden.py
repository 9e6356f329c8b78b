"""Golden payloads: one committed example of every identity and version, which the classes of today must still read.

Knows the names of the files and what is in them. Compares nothing with a manifest: it decodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from effect_runtime.errors import Code, EffectRuntimeError, Fault, UndecodableMessage, raise_faults
from effect_runtime.integration import (
    Envelope,
    EventRegistry,
    FieldShape,
    Topic,
    WireIdentity,
    decode_event,
    encode_fields,
    event_identity,
    field_shapes,
    topic_events,
    topic_name,
)
from effect_runtime.manifest._fields import Shapes, parent_of

_NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_EXAMPLES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "int": 1,
        "float": 1.5,
        "bool": True,
        "decimal": "12.5",
        "datetime": "2026-01-01T12:00:00Z",
        "date": "2026-01-01",
        "uuid": "00000000-0000-4000-8000-000000000001",
        "bytes": "AAEC",
    }
)


def golden_name(identity: str, version: int) -> str:
    """Return the name of the file that holds the golden payload of a version."""
    return f"{identity}.v{version}.json"


def example_payload(shapes: Shapes) -> str:
    """Return a payload of some shapes as the text of a golden file; the same shapes give the same text."""
    return json.dumps(_members(shapes, ""), indent=2, sort_keys=True) + "\n"


def examples_of(topics: Iterable[type[Topic]]) -> dict[str, str]:
    """Return an example of the current version of each event, by the name of its file.

    Where a validator refuses the example of a field with a default, fields with defaults are left out.
    """
    known = tuple(topics)
    registry = EventRegistry(known)
    return {
        golden_name(wire.name, wire.version): _example_of(field_shapes(event), wire, registry)
        for event, wire in _events(known)
    }


def _example_of(shapes: Shapes, wire: WireIdentity, registry: EventRegistry) -> str:
    whole, least = example_payload(shapes), example_payload(_required(shapes))
    is_read = not any(_unreadable("", whole.encode(), wire.name, wire.version, registry))
    return whole if is_read else least


def verify_golden(topics: Iterable[type[Topic]], folder: Path) -> None:
    """Decode every golden payload of a folder through the classes of today: one line of an ordinary test.

    Raises `errors.ConfigurationError` with every fault, all at once: payloads that cannot be read, versions that have
    none, files that nothing reads.
    """
    payloads = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    raise_faults(f"golden payloads in {folder}", golden_faults(topics, payloads))


def golden_faults(topics: Iterable[type[Topic]], payloads: Mapping[str, bytes]) -> tuple[Fault, ...]:
    """Return what is wrong with golden payloads, given by the names of their files."""
    known = tuple(dict.fromkeys(topics))
    registry = EventRegistry(known)
    wanted = {each: alike for _, wire in _events(known) for each, alike in _files_of(wire).items()}
    readable = {name: version for alike in wanted.values() for name, version in alike.items()}
    faults = [_missing(name) for name, alike in wanted.items() if not alike.keys() & payloads.keys()]
    for name, payload in payloads.items():
        if name in readable:
            faults.extend(_unreadable(name, payload, *readable[name], registry))
        else:
            faults.append(_needless(name))
    return tuple(faults)


def _events(topics: Iterable[type[Topic]]) -> Iterator[tuple[type[Topic], WireIdentity]]:
    for topic in topics:
        yield from ((event, event_identity(event)) for event in topic_events(topic))


def _files_of(wire: WireIdentity) -> dict[str, dict[str, tuple[str, int]]]:
    """Return the file of each version that is read, with those that do as well: under its former identities."""
    return {
        golden_name(wire.name, version): {golden_name(name, version): (name, version) for name in wire.names}
        for version in range(wire.oldest, wire.version + 1)
    }


def _unreadable(name: str, payload: bytes, identity: str, version: int, registry: EventRegistry) -> Iterator[Fault]:
    try:
        event = decode_event(_envelope(payload, identity, version, registry), registry)
        # Reading is half of it: what was read must survive our own encoding, or the class has lost some of it.
        again = _envelope(encode_fields(event), *_current(event), registry)
        if decode_event(again, registry) == event:
            return
        problem = "it is read, but what was read is written as something else."
    except UndecodableMessage as error:
        problem = str(error)
    except EffectRuntimeError as error:
        problem = f"it is read, but what was read cannot be written: {error}"
    fix = "Mend the class or its upcasters; the payload stands for those that were committed."
    yield Fault(Code.ER215, place=name, problem=problem, fix=fix)


def _current(event: Topic) -> tuple[str, int]:
    wire = event_identity(type(event))
    return wire.name, wire.version


def _envelope(payload: bytes, identity: str, version: int, registry: EventRegistry) -> Envelope:
    event = registry.event(identity)
    assert event is not None  # the name of the file was made from the registry's own events
    return Envelope(
        id=f"golden-{identity}-{version}",
        source="golden",
        type=identity,
        version=version,
        topic=topic_name(event),
        time=_NOON,
        data=payload,
        correlation="golden",
    )


def _missing(name: str) -> Fault:
    return Fault(
        Code.ER215,
        place=name,
        problem="no such payload is committed.",
        fix="Write it with `python -m effect_runtime.manifest write ... --golden FOLDER`; for an older version, "
        "record a real one.",
    )


def _needless(name: str) -> Fault:
    return Fault(
        Code.ER215,
        place=name,
        problem="no event class reads this identity in this version.",
        fix="Bring the class or its `oldest` back; or delete the file, once nothing of it waits anywhere.",
    )


def _required(shapes: Shapes) -> Shapes:
    """Return the shapes that a reader asks for."""
    required: dict[str, FieldShape] = {}
    for path in sorted(shapes):
        parent = parent_of(path)
        if not shapes[path].is_optional and (not parent or parent in required):
            required[path] = shapes[path]
    return required


def _members(shapes: Shapes, parent: str) -> dict[str, Any]:
    return {path[len(parent) :].lstrip("."): _example(shapes, path) for path in shapes if parent_of(path) == parent}


def _example(shapes: Shapes, path: str) -> Any:
    shape = shapes[path]
    if shape.kind == "choice":
        return json.loads(shape.choices[0])
    if shape.kind == "record":
        return _members(shapes, path)
    if shape.kind in ("array", "tuple"):
        return list(_members(shapes, path).values())
    return _EXAMPLES.get(shape.kind, path.rpartition(".")[2].partition("[")[0])
