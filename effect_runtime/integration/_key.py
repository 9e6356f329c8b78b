"""The text by which records are put in order: one of their fields, spelt in its one way.

Knows annotations and the codec's spelling; knows no topic and no queue.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from attrs import frozen

from effect_runtime.errors import Unserializable
from effect_runtime.integration._codec import writer
from effect_runtime.integration._composites import key_text
from effect_runtime.integration._fields import Unfit, by_path
from effect_runtime.integration._leaves import Leaf
from effect_runtime.integration._shape import hints


@frozen
class KeySpelling:
    """Spell the key of the instances of one class."""

    field: str
    write: Leaf

    def of(self, record: object) -> str:
        """Return the key of one record; raises `errors.Unserializable` if there is no text for it."""
        try:
            # By the codec, because the key on the envelope and the field in the payload must be spelt alike.
            text = key_text(self.write(getattr(record, self.field)))
        except Unfit as error:
            faults = {path or self.field: problem for path, problem in by_path(error.errors).items()}
            raise Unserializable(type(record).__name__, faults=faults) from error
        if not text:
            raise Unserializable(type(record).__name__, faults={self.field: "is empty and cannot order events"})
        return text


def key_spelling(cls: type, field: str) -> KeySpelling:
    """Return how the key of a class is spelt; what is wrong with the field is found by verification."""
    kind: Any = cls  # mypy takes the __hash__ of an instance for the class's own
    return _spelling(kind, field)


@cache
def _spelling(cls: Any, field: str) -> KeySpelling:
    return KeySpelling(field, writer(hints(cls)[field]))
