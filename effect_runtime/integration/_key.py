"""Keys: the text by which records are put in order, one of their fields in its one spelling; and where it belongs.

Knows annotations and the codec's spelling; knows no topic and no queue.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
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


def partition(key: str, count: int) -> int:
    """Return the partition of a key, from 0 to `count` - 1.

    The first 8 bytes of BLAKE2b (digest size 8) of the key in UTF-8, as a big-endian number, modulo `count`. Another
    `count` moves keys: drain before changing it.

    >>> partition("book-1", 16), partition("", 16), partition("Bücher", 16)
    (10, 4, 2)
    """
    if count < 1:
        raise ValueError(f"There are {count} partitions to choose from. Give at least one.")
    # Python's own `hash` is salted for each process and would send one key two ways.
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % count
