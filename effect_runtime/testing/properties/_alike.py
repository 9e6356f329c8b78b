"""Whether two values hold the same, whatever their classes say about equality. Knows no encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs


def alike(first: Any, second: Any) -> bool:
    """Tell whether two values hold the same: every field is compared, also one that `eq=False` leaves out."""
    if attrs.has(type(first)):
        names = [each.name for each in attrs.fields(type(first))]
        return type(first) is type(second) and all(_same(first, second, name) for name in names)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(alike(each, second[key]) for key, each in first.items())
    if _is_array(first) and _is_array(second):
        return first.__class__ is second.__class__ and len(first) == len(second) and all(map(alike, first, second))
    return bool(first == second)


def _same(first: Any, second: Any, name: str) -> bool:
    return alike(getattr(first, name, None), getattr(second, name, None))


def _is_array(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
