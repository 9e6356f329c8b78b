"""Annotations as they are meant: aliases opened, type parameters filled in.

Knows no strategy and no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from typing_extensions import TypeAliasType, get_original_bases

from effect_runtime.integration import hints


def opened(kind: Any) -> Any:
    """Return what an alias or an `Annotated` stands for; unlike `plain`, it leaves a `NewType` what it is."""
    while True:
        origin = get_origin(kind)
        if isinstance(kind, TypeAliasType):
            kind = kind.__value__
        elif isinstance(origin, TypeAliasType):
            kind = filled(origin.__value__, dict(zip(origin.__type_params__, get_args(kind), strict=False)))
        elif origin is Annotated:
            kind = get_args(kind)[0]
        else:
            return kind


def fields_of(kind: Any) -> Mapping[str, Any]:
    """Return the annotations of an attrs class's fields, its type parameters and those of its bases filled in."""
    cls = get_origin(kind) or kind
    given = _given(kind)
    return {name: filled(each, given) for name, each in hints(cls).items()}


def filled(kind: Any, given: Mapping[Any, Any]) -> Any:
    """Return an annotation with what is known of its type parameters."""
    if isinstance(kind, TypeVar):
        return given.get(kind, kind)
    parameters = getattr(kind, "__parameters__", ()) if get_args(kind) else ()
    return kind[tuple(given.get(each, each) for each in parameters)] if parameters else kind


def _given(kind: Any) -> dict[Any, Any]:
    """Return what the type parameters of a class and its bases stand for."""
    cls: Any = get_origin(kind) or kind
    given = dict(zip(getattr(cls, "__parameters__", ()), get_args(kind), strict=False))
    found = dict(given)
    for base in get_original_bases(cls):
        if get_args(base) and hasattr(get_origin(base), "__parameters__"):
            found = _given(filled(base, given)) | found
        elif isinstance(base, type) and base is not object:
            found = _given(base) | found
    return found
