"""What the fields of an event look like on the wire, path by path, in words that outlive every Python class.

Reads annotations as the codec does. Knows no JSON text, no version and no manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin
from uuid import UUID

import attrs
from attrs import field, frozen

from effect_runtime.integration._shape import hints, is_enum, is_fixed, is_typed_id, is_union, plain

FieldKind: TypeAlias = Literal[
    "text", "int", "float", "bool", "decimal", "datetime", "date", "uuid", "bytes", "choice", "array", "tuple", "record"
]
"""What may stand at a path of a payload: a scalar, one of some values, or what holds further paths."""

_SCALARS: Final[Mapping[Any, FieldKind]] = MappingProxyType(
    {
        str: "text",
        int: "int",
        float: "float",
        bool: "bool",
        Decimal: "decimal",
        datetime: "datetime",
        date: "date",
        UUID: "uuid",
        bytes: "bytes",
    }
)


def _in_order(choices: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(choices)))


@frozen
class FieldShape:
    """Say what stands at one path of a payload.

    `choices` are the values of a "choice" as JSON texts. What an "array", a "tuple" or a "record" holds has paths of
    its own. `is_nullable`: null may stand there. `is_optional`: a reader does without it, because it has a default.
    """

    kind: FieldKind
    is_nullable: bool = field(default=False, kw_only=True)
    is_optional: bool = field(default=False, kw_only=True)
    choices: tuple[str, ...] = field(default=(), kw_only=True, converter=_in_order)


def field_shapes(event: type) -> dict[str, FieldShape]:
    """Return the shape of every field of a sound event class, by path: `fee`, `fee.amount`, `lines[]`, `pair[0]`.

    Typed ids stand for the scalar that they travel as. For an unsound class (`event_faults`) the answer has no meaning.
    """
    return dict(_record(event, ""))


def _record(cls: type, path: str) -> Iterator[tuple[str, FieldShape]]:
    kinds = hints(cls)
    for each in attrs.fields(cls):
        if each.name in kinds:
            inner = f"{path}.{each.name}" if path else each.name
            yield from _walk(kinds[each.name], inner, is_optional=each.default is not attrs.NOTHING)


def _walk(kind: Any, path: str, *, is_optional: bool = False) -> Iterator[tuple[str, FieldShape]]:
    kind, is_nullable = _without_none(kind)
    if is_typed_id(kind):
        ((_, kind),) = ((name, plain(inner)) for name, inner in hints(kind).items())
    word, choices = _word(kind), _choices(kind)
    yield path, FieldShape(word, is_nullable=is_nullable, is_optional=is_optional, choices=choices)
    if word == "record":
        yield from _record(kind, path)
    elif word == "array":
        yield from _walk(get_args(kind)[0], f"{path}[]")
    elif word == "tuple":
        for place, item in enumerate(get_args(kind)):
            yield from _walk(item, f"{path}[{place}]")


def _without_none(kind: Any) -> tuple[Any, bool]:
    kind, is_nullable = plain(kind), False
    while is_union(kind):
        options = [plain(option) for option in get_args(kind)]
        is_nullable = is_nullable or NoneType in options
        # A sound event has one alternative beside None; for others the answer has no meaning.
        kind = next(option for option in options if option is not NoneType)
    return kind, is_nullable


def _word(kind: Any) -> FieldKind:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_enum(kind) or get_origin(kind) is Literal:
        return "choice"
    if get_origin(kind) is tuple:
        return "tuple" if is_fixed(kind) else "array"
    return "record"


def _choices(kind: Any) -> tuple[str, ...]:
    if is_enum(kind):
        return tuple(json.dumps(member.value) for member in kind)
    return tuple(json.dumps(value) for value in get_args(kind)) if get_origin(kind) is Literal else ()
