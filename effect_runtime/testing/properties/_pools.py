"""Ids to choose from: a few of each type, so that what is drawn meets.

An id is a `NewType`, or a value class of one text, number or UUID. Knows no command and no running application.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NewType
from uuid import UUID

import attrs
from hypothesis import find, settings
from hypothesis.errors import HypothesisException
from hypothesis.strategies import SearchStrategy

from effect_runtime.errors import ValuesRefused
from effect_runtime.integration import hints, is_typed_id, plain

FEW: Final = 3
"""How many ids a pool has."""

_MADE: Final[Mapping[Any, Callable[[str, int], Any]]] = MappingProxyType(
    {
        str: lambda stem, number: f"{stem}-{number}",
        int: lambda stem, number: number,
        UUID: lambda stem, number: UUID(int=number),
    }
)


def is_id(kind: Any) -> bool:
    """Tell whether a type may be an id: what pools are made of."""
    return _inner(kind) in _MADE


def is_judging(kind: Any) -> bool:
    """Tell whether a type of id is a class that does not take everything: a name or a number may look alike."""
    if not is_typed_id(kind):
        return False
    (only,) = attrs.fields(kind)
    return bool(only.validator or only.converter)


def made_up(kind: Any, count: int = FEW) -> list[Any]:
    """Make a few ids, such as `book-1`, `book-2`, `book-3`; those that a class refuses are left out."""
    return [id for id in (_made(kind, number) for number in range(1, count + 1)) if id is not None]


def drawn_once(strategy: SearchStrategy[Any]) -> list[Any]:
    """Draw a few different values, always the same ones; fewer where there are no more or none is found."""
    found: list[Any] = []
    for _ in range(FEW):
        try:
            found.append(find(strategy, lambda value: value not in found, settings=_ONCE))
        except (HypothesisException, ValuesRefused):
            break
    return found


_ONCE: Final = settings(database=None, derandomize=True, max_examples=200)


def _made(kind: Any, number: int) -> Any:
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__.removesuffix("Id").removesuffix("ID")).lower()
    try:
        return kind(_MADE[_inner(kind)](stem or kind.__name__.lower(), number))
    except Exception:  # whatever a user's validator raises: it is no id of this class
        return None


def _inner(kind: Any) -> Any:
    if isinstance(kind, NewType):
        return plain(kind)
    if is_typed_id(kind):
        ((_, inner),) = hints(kind).items()
        return plain(inner)
    return None
