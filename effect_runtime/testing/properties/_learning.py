"""Ids in the values of a running application: what it made itself must be met by later commands.

Walks values beside their annotations. Knows no strategy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NewType, get_args, get_origin

import attrs

from effect_runtime.integration import is_typed_id, is_union, plain
from effect_runtime.testing.properties._annotations import fields_of, opened


def ids_in(value: Any, kind: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every id in a value of an annotated type, each with its type."""
    if value is None:
        return
    kind = opened(kind)
    if isinstance(kind, NewType):
        yield kind, value
        return
    if is_typed_id(kind):  # or a record of one field, which may be an id
        yield kind, value
    if is_union(kind):
        for option in get_args(kind):
            if _may_be(value, option):
                yield from ids_in(value, option)
    elif attrs.has(type(value)):
        yield from ids_of(value, kind)
    elif isinstance(value, Mapping):
        for pair in value.items():
            for item, inner in zip(pair, get_args(kind), strict=False):
                yield from ids_in(item, inner)
    elif isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        yield from _items(value, get_args(kind))


def id_kinds(kind: Any, within: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Yield the types of all ids that values of an annotated type may hold."""
    kind = opened(kind)
    if isinstance(kind, NewType):
        yield kind
        return
    if is_typed_id(kind):
        yield kind
    inner: Iterable[Any] = get_args(kind)
    cls = get_origin(kind) or kind
    if attrs.has(cls) and kind not in within:
        inner = fields_of(kind).values()
    for each in inner:
        yield from id_kinds(each, (*within, kind))


def ids_of(record: Any, kind: Any = None) -> Iterator[tuple[Any, Any]]:
    """Yield every id in the fields of an attrs instance; a `kind` may say more of it than its class."""
    cls = type(record)
    for name, inner in fields_of(kind if get_origin(kind) is cls else cls).items():
        yield from ids_in(getattr(record, name, None), inner)


def _items(values: Any, kinds: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    each = len(kinds) == len(values) and Ellipsis not in kinds
    for number, item in enumerate(values):
        yield from ids_in(item, kinds[number] if each else (kinds or (Any,))[0])


def _may_be(value: Any, option: Any) -> bool:
    kind = plain(option)
    return isinstance(value, kind) if isinstance(kind, type) else not isinstance(value, str)
