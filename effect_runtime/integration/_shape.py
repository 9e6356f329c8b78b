"""Which types can travel, and which of them are flat.

Walks annotations and reports each misfit with its path. Knows no JSON, no converter, no topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
from attrs import frozen
from attrs.exceptions import FrozenError
from typing_extensions import TypeAliasType

B = TypeVar("B")

SCALARS: frozenset[Any] = frozenset({str, int, float, bool, Decimal, datetime, date, UUID, bytes})
KEYS: frozenset[Any] = frozenset({str, int, bool, UUID, date})
"""Scalars with one spelling each, so that equal keys are equal texts."""

ARRAYS: frozenset[Any] = frozenset({list, set, frozenset, Sequence, AbstractSet})
TABLES: frozenset[Any] = frozenset({dict, Mapping})
UNRESOLVED: tuple[type[Exception], ...] = (NameError, TypeError, AttributeError, SyntaxError)
"""What reading annotations raises when they name what does not exist, or does not exist yet."""

_MARK = "__value_record__"


@frozen
class Misfit:
    """One type that cannot travel.

    `nested`: it could, were nesting allowed here. `unresolved`: its annotation names what is not defined, or not yet.
    """

    path: str
    problem: str
    nested: bool
    unresolved: bool = False


def value_record(cls: type[B]) -> type[B]:
    """Allow a frozen attrs class to be a field of an integration event, as a nested object.

    Nesting is opted in because every field of it becomes part of the wire contract.
    """
    setattr(cls, _MARK, True)
    return cls


def plain(kind: Any) -> Any:
    """Return what a `NewType`, an `Annotated` or a type alias stands for."""
    while True:
        if isinstance(kind, NewType):
            kind = kind.__supertype__
        elif get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif isinstance(kind, TypeAliasType):
            kind = kind.__value__
        else:
            return NoneType if kind is None else kind


def is_attrs(kind: Any) -> bool:
    """Tell whether this very class, not only a base of it, was made by attrs."""
    return isinstance(kind, type) and "__attrs_attrs__" in vars(kind)


def is_frozen(cls: type) -> bool:
    """Tell whether instances of an attrs class refuse assignment."""
    # It has no instances to ask, and what derives from it may be either.
    if getattr(cls, "__abstractmethods__", None):
        return False
    try:
        # Asked of an instance, because nothing else tells it for sure: `frozen` may come from a base or an own
        # `__setattr__`.
        setattr(object.__new__(cls), "_", None)  # noqa: B010  # no class declares it: only the refusal is of interest
    except FrozenError:
        return True
    except Exception:
        return False
    return False


def is_record(kind: Any) -> bool:
    """Tell whether a class was opted in with `@value_record`."""
    # Of this very class: what a subclass adds was not opted in.
    return isinstance(kind, type) and bool(vars(kind).get(_MARK))


def is_union(kind: Any) -> bool:
    """Tell whether a type is a union."""
    return get_origin(kind) in (Union, UnionType)


def is_enum(kind: Any) -> bool:
    """Tell whether a type is an enum."""
    return isinstance(kind, type) and issubclass(kind, Enum)


def is_fixed(kind: Any) -> bool:
    """Tell whether a type is a tuple with a type for each place, and not one of any length."""
    return get_origin(kind) is tuple and get_args(kind)[1:] != (Ellipsis,)


def is_typed_id(kind: Any) -> bool:
    """Tell whether a class is a frozen value class of one scalar, which travels as that scalar."""
    if not is_attrs(kind) or is_record(kind):
        return False
    fields = attrs.fields(kind)
    if len(fields) != 1 or not fields[0].init:
        return False
    try:
        inner = plain(hints(kind)[fields[0].name])
    except UNRESOLVED:
        return False
    return _is_atom(inner) and is_frozen(kind)


def hints(cls: type) -> Mapping[str, Any]:
    """Return the resolved annotations of the fields of an attrs class; raises NameError where one is unknown."""
    # With extras, because `Redacted[...]` is one. A field without `init=` cannot be read, so it is not written
    # either.
    resolved = get_type_hints(cls, include_extras=True)
    return {field.name: resolved.get(field.name, Any) for field in attrs.fields(cls) if field.init}


def misfits(kind: Any, *, path: str, flat: bool) -> tuple[Misfit, ...]:
    """Return everything in a type that cannot travel; `flat` also refuses what nests."""
    return tuple(_walk(kind, path, flat, ()))


def record_misfits(cls: type, *, flat: bool) -> tuple[Misfit, ...]:
    """Return everything in the fields of an attrs class that cannot travel."""
    return tuple(_fields(cls, "", flat, ()))


def fits_key(kind: Any) -> bool:
    """Tell whether a field can be a partition key: a scalar or typed id with one spelling for each value."""
    kind = plain(kind)
    if is_typed_id(kind):
        (kind,) = (plain(inner) for inner in hints(kind).values())
    return kind in KEYS or is_enum(kind)


def _is_atom(kind: Any) -> bool:
    return kind in SCALARS or is_enum(kind)


def _walk(kind: Any, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    kind = plain(kind)
    origin = get_origin(kind) or kind
    if kind in SCALARS or is_typed_id(kind):
        return
    if is_enum(kind):
        yield from _enum(kind, path)
    elif origin is Literal:
        yield from _literal(kind, path)
    elif is_union(kind):
        yield from _union(kind, path, flat, within)
    elif origin is tuple:
        yield from _tuple(kind, path, flat, within)
    elif kind is NoneType:
        yield from _nesting("None is no value of a field", path, flat)
    elif origin in ARRAYS | TABLES:
        yield from _collection(kind, origin, path, flat, within)
    elif is_attrs(kind):
        yield from _class(kind, path, flat, within)
    else:
        yield Misfit(path, f"{name_of(kind)} has no form on the wire", nested=False)


def _enum(kind: type[Enum], path: str) -> Iterator[Misfit]:
    if not all(type(member.value) in (str, int) or isinstance(member.value, str) for member in kind):
        yield Misfit(path, f"the values of {name_of(kind)} are not all str or int", nested=False)


def _literal(kind: Any, path: str) -> Iterator[Misfit]:
    if not all(type(value) in (str, int, bool) for value in get_args(kind)):
        yield Misfit(path, f"{name_of(kind)} holds more than str, int and bool", nested=False)


def _union(kind: Any, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    options = [option for option in get_args(kind) if option is not NoneType]
    if len(options) == 1:
        yield from _walk(options[0], path, flat, within)
        return
    yield from _nesting(f"{name_of(kind)} has more than one alternative beside None", path, flat)
    classes = [plain(option) for option in options]
    if not all(is_attrs(option) for option in classes):
        yield Misfit(path, f"{name_of(kind)} mixes types that are not all attrs classes", nested=False)
        return
    if len({option.__name__ for option in classes}) < len(classes):
        yield Misfit(path, f"{name_of(kind)} has two classes of one name", nested=False)
    for option in classes:
        yield from _fields(option, f"{path}<{option.__name__}>", flat, (*within, option))


def _tuple(kind: Any, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    items = [item for item in get_args(kind) if item is not Ellipsis]
    if kind is tuple:
        yield Misfit(path, "a bare tuple does not say what it holds", nested=False)
    if tuple in within:
        yield from _nesting("a tuple within a tuple", path, flat)
    for item in items:
        yield from _walk(item, f"{path}[]", flat, (*within, tuple))


def _collection(kind: Any, origin: Any, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    yield from _nesting(f"{name_of(kind)} is a mutable or nested collection", path, flat)
    arguments = get_args(kind)
    if not arguments:
        yield Misfit(path, f"a bare {name_of(kind)} does not say what it holds", nested=False)
    if origin in TABLES and arguments and not fits_key(arguments[0]):
        yield Misfit(path, f"{name_of(arguments[0])} cannot be the key of an object", nested=False)
    for item in arguments[-1:]:
        yield from _walk(item, f"{path}[]", flat, within)


def _class(kind: type, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    if not is_record(kind):
        yield from _nesting(f"{name_of(kind)} is a nested class without @value_record", path, flat)
    elif not is_frozen(kind):
        yield from _nesting(f"{name_of(kind)} is a value record that is not frozen", path, flat)
    if kind in within:
        yield Misfit(path, f"{name_of(kind)} contains itself", nested=False)
        return
    # Within a record tuples count anew: it is the record that was opted in.
    yield from _fields(kind, path, flat, (*(each for each in within if each is not tuple), kind))


def _fields(cls: type, path: str, flat: bool, within: tuple[Any, ...]) -> Iterator[Misfit]:
    if getattr(cls, "__parameters__", ()):
        yield Misfit(path, f"{name_of(cls)} is generic", nested=False)
        return
    try:
        kinds = hints(cls)
    except UNRESOLVED as error:
        yield Misfit(
            path, f"an annotation of {name_of(cls)} cannot be resolved ({error})", nested=False, unresolved=True
        )
        return
    for name, kind in kinds.items():
        yield from _walk(kind, f"{path}.{name}" if path else name, flat, within)


def _nesting(problem: str, path: str, flat: bool) -> Iterable[Misfit]:
    return (Misfit(path, problem, nested=True),) if flat else ()


def name_of(kind: Any) -> str:
    """Return what a type is called in messages."""
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
