"""A place in a JSON document that people edit and merge: asks for what should stand there, and names the place if not.

Knows JSON values and paths. Knows nothing of what they mean.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from attrs import frozen

from effect_runtime.errors import BadManifest


@frozen
class Cursor:
    """One value of a document and the path to it; every method that asks raises `errors.BadManifest` for a misfit."""

    value: Any
    path: str = ""

    @classmethod
    def over(cls, text: str) -> Cursor:
        """Stand at the root of a JSON text."""
        try:
            return cls(json.loads(text, object_pairs_hook=_object, parse_constant=_constant))
        except json.JSONDecodeError as error:
            raise BadManifest(f"line {error.lineno}", problem=f"is not JSON ({error.msg})") from error
        except (ValueError, RecursionError) as error:
            raise BadManifest("its text", problem=f"holds what no manifest needs ({error})") from error

    def refuse(self, problem: str) -> NoReturn:
        """Say what is wrong with the value."""
        raise BadManifest(f"field '{self.path}'" if self.path else "its text", problem=problem)

    def members(self, names: Sequence[str]) -> tuple[Cursor, ...]:
        """Return the members of an object that has exactly these."""
        found = dict(self.entries())
        for name in names:
            if name not in found:
                self.refuse(f"has no member '{name}'")
        if unknown := [name for name in found if name not in names]:
            self.refuse(f"has an unknown member '{unknown[0]}'")
        return tuple(found[name] for name in names)

    def entries(self) -> Iterator[tuple[str, Cursor]]:
        """Yield the members of an object with their names, which are printable words."""
        if not isinstance(self.value, dict):
            self.refuse("is no object")
        for name, value in self.value.items():
            if not name or not name.isprintable():
                self.refuse(f"has a member with the unprintable name {name!r}")
            yield name, Cursor(value, f"{self.path}.{name}" if self.path else name)

    def items(self) -> Iterator[Cursor]:
        """Yield the items of an array."""
        if not isinstance(self.value, list):
            self.refuse("is no array")
        for index, value in enumerate(self.value):
            yield Cursor(value, f"{self.path}[{index}]")

    def texts(self) -> tuple[str, ...]:
        """Return an array of words, each named once."""
        words = tuple(item.text() for item in self.items())
        for word, count in Counter(words).items():
            if count > 1:
                self.refuse(f"names '{word}' twice")
        return words

    def text(self) -> str:
        """Return a printable word."""
        if not isinstance(self.value, str) or not self.value or not self.value.isprintable():
            self.refuse("is no printable text")
        return self.value

    def word(self, words: Sequence[str]) -> Any:
        """Return one of some words."""
        if self.value not in words:
            self.refuse(f"is none of {', '.join(words)}")
        return self.value

    def number(self, *, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        if type(self.value) is not int or not least <= self.value <= most:
            self.refuse(f"is no whole number from {least} to {most}")
        return self.value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Merging two branches by hand leaves such pairs, and `json` would keep the second without a word.
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise ValueError(f"the name {name!r} twice in one object")
    return dict(pairs)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)
