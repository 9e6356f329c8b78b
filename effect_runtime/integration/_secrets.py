"""Which types are secret, and JSON in which their values are covered.

Walks a JSON form beside the annotation that it was written by. Knows the shapes of the codec, no store and no log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, NewType, TypeAlias, get_args, get_origin
from uuid import UUID

import attrs
from attrs import field, frozen
from typing_extensions import TypeVar

from effect_runtime.integration._composites import TAG
from effect_runtime.integration._shape import (
    ARRAYS,
    TABLES,
    UNRESOLVED,
    hints,
    is_attrs,
    is_enum,
    is_fixed,
    is_typed_id,
    is_union,
    plain,
)

A = TypeVar("A")

Replace: TypeAlias = Callable[[Any, Any], Any]
"""What stands in the place of a form of a type, or `_WHOLE` to look inside."""

_WHOLE: Final = object()

COVER: Final = "***"
"""What stands in a recording where a secret was."""


@frozen
class _Covered:
    """Mark an annotation whose values no recording may show."""


Redacted: TypeAlias = Annotated[A, _Covered()]
"""Annotate a field, parameter or answer whose value no recording may show: `email: Redacted[str]`."""

_ANY_SECRET: Final[Any] = Annotated[Any, _Covered()]

_BLANKS: Final[Mapping[Any, Any]] = MappingProxyType(
    {
        str: COVER,
        int: 0,
        float: 0.0,
        bool: False,
        bytes: b"",
        Decimal: Decimal(0),
        datetime: datetime(1970, 1, 1, tzinfo=UTC),
        date: date(1970, 1, 1),
        UUID: UUID(int=0),
    }
)
"""What a covered scalar is read as: of its type, and nobody's."""


@frozen
class Secrets:
    """Say which types are secret: those listed here, and whatever is annotated `Redacted[...]`.

    A listed type is an attrs class, an enum or a `NewType`; it is covered wherever an annotation names it.
    """

    types: tuple[Any, ...] = field(default=(), converter=tuple[Any, ...])

    def hides(self, kind: Any) -> bool:
        """Tell whether an annotation is that of a secret."""
        return any(each in self.types or _is_marked(each) for each in _named(kind))

    def mentions(self, kind: Any) -> bool:
        """Tell whether an annotation names a secret anywhere: as an option, an item, or an argument of a class."""
        return self.hides(kind) or any(self.mentions(each) for each in get_args(plain(kind)))

    def covered(self, form: Any, kind: Any) -> Any:
        """Return a JSON form of the annotated type `kind` with `COVER` in place of each secret."""
        return _walk(form, kind, lambda inner, at: COVER if self.hides(at) else _WHOLE)


def uncovered(form: Any, kind: Any) -> Any:
    """Return a covered form as `structure_value` can read it: a blank of the secret's own type stands for it."""
    return _walk(form, kind, lambda inner, at: _blank(at) if inner == COVER else _WHOLE)


def _named(kind: Any) -> Iterator[Any]:
    """Yield an annotation and everything that it is a name for."""
    yield kind
    while (inner := _inside(kind)) is not None:
        kind = inner
        yield kind


def _inside(kind: Any) -> Any:
    if isinstance(kind, NewType):
        return kind.__supertype__
    if get_origin(kind) is Annotated:
        return get_args(kind)[0]
    return getattr(kind, "__value__", None)


def _is_marked(kind: Any) -> bool:
    return get_origin(kind) is Annotated and any(isinstance(mark, _Covered) for mark in get_args(kind)[1:])


def _blank(kind: Any) -> Any:
    """Make a value of a secret's type without asking its validators, which would refuse what is nobody's."""
    kind = plain(kind)
    if is_union(kind):
        return _blank(next(option for option in get_args(kind) if option is not NoneType))
    if is_enum(kind):
        return next(iter(kind))
    if get_origin(kind) is tuple or get_origin(kind) in ARRAYS:
        return ()
    if get_origin(kind) in TABLES:
        return {}
    if not is_attrs(kind):
        return _BLANKS.get(kind, COVER)
    # Not by its constructor: whatever it checks was true of the secret only.
    blank = object.__new__(kind)
    for name, inner in hints(kind).items():
        object.__setattr__(blank, name, _blank(inner))
    return blank


def _walk(form: Any, kind: Any, replace: Replace) -> Any:
    # That something is missing is no secret, and an optional secret must be read as missing again.
    replacement = _WHOLE if form is None else replace(form, kind)
    if replacement is not _WHOLE:
        return replacement
    kind = plain(kind)
    origin = get_origin(kind)
    if is_union(kind):
        return _union(form, kind, replace)
    if origin is tuple or origin in ARRAYS:
        return _array(form, kind, replace)
    if origin in TABLES:
        return _table(form, kind, replace)
    if is_typed_id(kind):
        (inner,) = hints(kind).values()
        covered = replace(form, inner)
        return form if covered is _WHOLE else covered
    return _record(form, kind, replace) if is_attrs(kind) else form


def _record(form: Any, kind: Any, replace: Replace) -> Any:
    if not isinstance(form, dict):
        return form
    kinds = hints(kind)
    return {name: _walk(value, kinds.get(name, Any), replace) for name, value in form.items()}


def _union(form: Any, kind: Any, replace: Replace) -> Any:
    options = [option for option in get_args(kind) if option is not NoneType]
    if len(options) == 1:
        return _walk(form, options[0], replace)
    tag = form.get(TAG) if isinstance(form, dict) else None
    chosen = next((option for option in options if getattr(plain(option), "__name__", None) == tag), None)
    if chosen is None:
        return form
    # The option by itself may be the secret one, where its siblings are not.
    covered = replace(form, chosen)
    return _record(form, plain(chosen), replace) if covered is _WHOLE else covered


def _table(form: Any, kind: Any, replace: Replace) -> Any:
    if not isinstance(form, dict):
        return form
    key, inner = get_args(kind)
    covered = _WHOLE if form == {} else replace(next(iter(form)), key)
    if covered is not _WHOLE:
        return COVER  # names cannot be covered one by one and stay apart
    return {name: _walk(member, inner, replace) for name, member in form.items()}


def _array(form: Any, kind: Any, replace: Replace) -> Any:
    if not isinstance(form, list):
        return form
    arguments = get_args(kind)
    if is_fixed(kind):
        if len(form) != len(arguments):
            return form
        return [_walk(item, inner, replace) for item, inner in zip(form, arguments, strict=True)]
    return [_walk(item, arguments[0], replace) for item in form]


def shown_value(value: Any, kind: Any, secrets: Secrets) -> str:
    """Spell a value for people, without what is secret and without asking objects of unknown make to spell themselves.

    An attrs object is shown by its fields, a collection by its items, a scalar by itself, all else by its class.
    """
    if value is None:
        return "None"
    if secrets.hides(kind) or type(value) in secrets.types:
        return COVER
    kind = plain(kind)
    if is_union(kind):
        return shown_value(value, _option(value, kind, secrets), secrets)
    if isinstance(value, tuple | list | set | frozenset):
        kinds = _items(kind, len(value), secrets)
        items = [shown_value(item, inner, secrets) for item, inner in zip(value, kinds, strict=True)]
        return f"[{', '.join(items if isinstance(value, tuple | list) else sorted(items))}]"
    if isinstance(value, dict):
        return _shown_table(value, kind, secrets)
    if secrets.mentions(kind):
        return COVER  # an argument of a generic class: nothing tells where in it the secret is
    if is_attrs(type(value)):
        return _shown_record(value, secrets)
    # Only what Python itself spells: the `repr` of anybody else's object may say what it likes.
    if type(value) in _BLANKS or isinstance(value, Enum):
        return repr(value)
    return f"<{type(value).__name__}>"


def _shown_table(value: dict[Any, Any], kind: Any, secrets: Secrets) -> str:
    names, members = get_args(kind) if get_origin(kind) in TABLES else (_unknown(kind, secrets),) * 2
    pairs = (
        f"{shown_value(name, names, secrets)}: {shown_value(item, members, secrets)}" for name, item in value.items()
    )
    return "{" + ", ".join(pairs) + "}"


def _shown_record(value: Any, secrets: Secrets) -> str:
    fields = _kinds(type(value))
    shown = (
        f"{each.name}={shown_value(getattr(value, each.name, None), fields.get(each.name, Any), secrets)}"
        for each in attrs.fields(type(value))
        if each.repr
    )
    return f"{type(value).__name__}({', '.join(shown)})"


def _option(value: Any, union: Any, secrets: Secrets) -> Any:
    """Return the one option of a union that a value can be of."""
    options = [option for option in get_args(union) if option is not NoneType]
    fitting = [each for each in options if (get_origin(plain(each)) or plain(each)) is type(value)]
    if len(options) == 1 or len(fitting) == 1:
        return (fitting or options)[0]
    return _unknown(union, secrets)


def _items(kind: Any, count: int, secrets: Secrets) -> Sequence[Any]:
    """Return the annotation of each item of a collection."""
    arguments = get_args(kind)
    if is_fixed(kind):
        return arguments if len(arguments) == count else (_unknown(kind, secrets),) * count
    if get_origin(kind) is tuple or get_origin(kind) in ARRAYS:
        return arguments[:1] * count
    return (_unknown(kind, secrets),) * count


def _unknown(kind: Any, secrets: Secrets) -> Any:
    """Return what to take a part of a value for, when its annotation does not tell which part it is."""
    return _ANY_SECRET if secrets.mentions(kind) else Any


def _kinds(cls: type) -> Mapping[str, Any]:
    try:
        return hints(cls)
    except UNRESOLVED:
        return {}
