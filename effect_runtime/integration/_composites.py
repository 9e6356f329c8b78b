"""Typed ids, unions, arrays and tables as JSON and back, made from the readers or writers of what they hold.

`of` makes the function for an inner type; `record` the one for an attrs class. Knows no scalar and no class itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import NoneType
from typing import Any, Final, Protocol, TypeAlias, get_args, get_origin

import attrs
from attrs import frozen

from effect_runtime.integration._fields import FieldError, Unfit
from effect_runtime.integration._json import canonical
from effect_runtime.integration._leaves import Leaf, no
from effect_runtime.integration._shape import hints, is_fixed, plain

Of: TypeAlias = Callable[[Any], Leaf]

TAG: Final = "$type"
"""The member that tells which class of a union an object is."""


class MakeUnion(Protocol):
    """Make the function for a union."""

    def __call__(self, kind: Any, of: Of, record: Callable[[type], Leaf], /) -> Leaf: ...


@frozen
class Composites:
    """The makers of one direction."""

    typed_id: Callable[[Any, Of], Leaf]
    union: MakeUnion
    array: Callable[[Any, Of], Leaf]
    table: Callable[[Any, Of], Leaf]


def sentence(error: Exception) -> str:
    """Return what a validator says; attrs validators put the sentence first and facts behind it."""
    return str(error.args[0]) if error.args else type(error).__name__


def _typed_id_writer(cls: type, of: Of) -> Leaf:
    ((name, inner),) = hints(cls).items()
    write_inner = of(inner)

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise no(value, cls.__name__)
        return write_inner(getattr(value, name))

    return write


def _typed_id_reader(cls: type, of: Of) -> Leaf:
    ((name, inner),) = hints(cls).items()
    read_inner = of(inner)
    # A private field `_value` is given to the constructor as `value`.
    argument = getattr(attrs.fields(cls), name).alias

    def read(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        content = read_inner(value)
        try:
            return cls(**{argument: content})
        except Exception as error:
            raise Unfit.because(sentence(error)) from error

    return read


def _options(kind: Any) -> tuple[bool, list[Any]]:
    options = [plain(option) for option in get_args(kind)]
    return NoneType in options, [option for option in options if option is not NoneType]


def _union_writer(kind: Any, of: Of, record: Callable[[type], Leaf]) -> Leaf:
    optional, options = _options(kind)
    if len(options) == 1:
        return _optional(of(options[0]))
    writers = {option: (option.__name__, record(option)) for option in options}

    def write(value: Any) -> Any:
        if value is None and optional:
            return None
        name, write_option = writers.get(type(value), ("", None))
        if write_option is None:
            raise no(value, " or ".join(option.__name__ for option in options))
        return {TAG: name, **write_option(value)}

    return write


def _union_reader(kind: Any, of: Of, record: Callable[[type], Leaf]) -> Leaf:
    optional, options = _options(kind)
    if len(options) == 1:
        return _optional(of(options[0]))
    readers = {option.__name__: record(option) for option in options}
    known = ", ".join(readers)

    def read(value: Any) -> Any:
        if (value is None and optional) or type(value) in options:
            return value
        if not isinstance(value, Mapping):
            raise no(value, "an object")
        name = value.get(TAG)
        if not isinstance(name, str) or name not in readers:
            raise Unfit(FieldError(TAG, f"is none of {known}"))
        return readers[name](value)

    return read


def _optional(inner: Leaf) -> Leaf:
    return lambda value: None if value is None else inner(value)


def _items(kind: Any, of: Of) -> tuple[Leaf | None, tuple[Leaf, ...]]:
    """Return the function for every item, or one for each place of a tuple of fixed length."""
    arguments = get_args(kind)
    if is_fixed(kind):
        return None, tuple(of(argument) for argument in arguments)
    return of(arguments[0]), ()


def _array_writer(kind: Any, of: Of) -> Leaf:
    origin: Any = get_origin(kind)
    each, places = _items(kind, of)
    unordered = issubclass(origin, AbstractSet)

    def write(value: Any) -> list[Any]:
        if not isinstance(value, origin) or isinstance(value, str | bytes):
            raise no(value, origin.__name__)
        written = _each(list(value), each, places)
        # A set has no order and its bytes must have one, or the same command would have two fingerprints.
        return sorted(written, key=canonical) if unordered else written

    return write


def _array_reader(kind: Any, of: Of) -> Leaf:
    origin: Any = get_origin(kind)
    each, places = _items(kind, of)
    build: Any = {Sequence: tuple, AbstractSet: frozenset}.get(origin, origin)

    def read(value: Any) -> Any:
        # Python takes these for collections as well: a text would be read as its letters, an object as its names.
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence | AbstractSet):
            raise no(value, "an array")
        return build(_each(list(value), each, places))

    return read


def _each(items: list[Any], each: Leaf | None, places: tuple[Leaf, ...]) -> list[Any]:
    if each is None and len(items) != len(places):
        raise Unfit.because(f"holds {len(items)} items, not {len(places)}")
    try:
        return (
            [each(item) for item in items] if each else [take(item) for take, item in zip(places, items, strict=True)]
        )
    except Unfit:
        # Once more, item by item: counting places all along would slow down every sound array.
        raise Unfit(*_item_errors(items, places or (each,) * len(items))) from None


def _item_errors(items: list[Any], takers: Sequence[Leaf | None]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (take, item) in enumerate(zip(takers, items, strict=True)):
        try:
            if take:
                take(item)
        except Unfit as error:
            errors.extend(error.at(f"[{index}]"))
    return errors


def _table_writer(kind: Any, of: Of) -> Leaf:
    write_key, write_value = (of(argument) for argument in get_args(kind))

    def write(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise no(value, "a mapping")
        return {key_text(write_key(key)): _member(key, write_value, member) for key, member in value.items()}

    return write


def _table_reader(kind: Any, of: Of) -> Leaf:
    key_kind, value_kind = get_args(kind)
    read_key, read_value = of(key_kind), of(value_kind)

    def read(value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise no(value, "an object")
        return {_key(key, read_key): _member(key, read_value, member) for key, member in value.items()}

    return read


def _member(key: object, take: Leaf, member: Any) -> Any:
    try:
        return take(member)
    except Unfit as error:
        raise Unfit(*error.at(str(key))) from None


def _key(key: Any, read: Leaf) -> Any:
    """Read the name of a member: as text, or as the JSON number or bool that it spells."""
    try:
        return read(key)
    except Unfit:
        if not isinstance(key, str):
            raise
    try:
        return read(json.loads(key))
    except (ValueError, RecursionError):
        raise Unfit(FieldError(key, "is no key of this object")) from None


def key_text(key: Any) -> str:
    """Spell a written scalar as text: what names a member of an object, and what orders events."""
    if type(key) is int:
        return str(key)  # what JSON says, too, and most keys are text or this
    return key if isinstance(key, str) else json.dumps(key)


WRITE: Final = Composites(_typed_id_writer, _union_writer, _array_writer, _table_writer)
READ: Final = Composites(_typed_id_reader, _union_reader, _array_reader, _table_reader)
