"""The shape of one version as an object of a manifest: a line for each path, and back.

`"note?"` may be left out; `"text or null"` may be null; an array lists the values of a choice. Knows no event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, get_args

from effect_runtime.integration import FieldKind, FieldShape
from effect_runtime.manifest._cursor import Cursor

Shapes: TypeAlias = Mapping[str, FieldShape]
"""What the payloads of one version look like, by path."""

_OR_NULL: Final = " or null"
_KINDS: Final = tuple(kind for kind in get_args(FieldKind) if kind != "choice")
_WORDS: Final = tuple(f"{kind}{suffix}" for kind in _KINDS for suffix in ("", _OR_NULL))
_STEP: Final = r"(?:\.[^\W\d]\w*|\[\d{0,6}\])"
_PATH: Final = re.compile(rf"[^\W\d]\w*{_STEP}*")
_LAST_STEP: Final = re.compile(rf"{_STEP}\Z")


def parent_of(path: str) -> str:
    """Return the path of what holds a path, or "" for a field of the event itself."""
    step = _LAST_STEP.search(path)
    return path[: step.start()] if step else ""


def shapes_to_plain(shapes: Shapes) -> dict[str, Any]:
    """Return an object of a manifest."""
    return {f"{path}?" if shape.is_optional else path: _plain(shape) for path, shape in sorted(shapes.items())}


def shapes_at(cursor: Cursor) -> dict[str, FieldShape]:
    """Read an object of a manifest; raises `errors.BadManifest`."""
    shapes: dict[str, FieldShape] = {}
    for name, value in cursor.entries():
        path = name.removesuffix("?")
        if not _PATH.fullmatch(path):
            value.refuse("is no path of a field")
        if path in shapes:
            value.refuse("stands there with and without '?'")
        shapes[path] = _shape(value, is_optional=path != name)
    for path in shapes:
        if (parent := parent_of(path)) and parent not in shapes:
            cursor.refuse(f"has '{path}' without '{parent}'")
    return shapes


def words_of(shape: FieldShape) -> str:
    """Say what a shape is in the middle of a sentence."""
    word = f"one of {', '.join(shape.choices)}" if shape.kind == "choice" else shape.kind
    return f"{word}{_OR_NULL}" if shape.is_nullable else word


def _plain(shape: FieldShape) -> Any:
    if shape.kind != "choice":
        return words_of(shape)
    return [json.loads(choice) for choice in shape.choices] + [None] * shape.is_nullable


def _shape(cursor: Cursor, *, is_optional: bool) -> FieldShape:
    if isinstance(cursor.value, list):
        values = [_choice(item) for item in cursor.items()]
        choices = [json.dumps(value) for value in values if value is not None]
        return FieldShape("choice", is_nullable=None in values, is_optional=is_optional, choices=tuple(choices))
    word = cursor.word(_WORDS)
    kind: Any = word.removesuffix(_OR_NULL)
    return FieldShape(kind, is_nullable=kind != word, is_optional=is_optional)


def _choice(cursor: Cursor) -> Any:
    if not isinstance(cursor.value, str | int | None):
        cursor.refuse("is no text, whole number, bool or null")
    return cursor.value
