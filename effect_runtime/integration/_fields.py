"""What is wrong with the fields of a value: paths and problems.

Knows no type and no JSON: codecs raise `Unfit`, and whoever owns a field puts its name before the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import final

from attrs import evolve, frozen


@final
@frozen
class FieldError:
    """Say what is wrong with one field; `field` is its path, such as `address.zip` or `lines[2].amount`."""

    field: str
    problem: str

    @property
    def first(self) -> str:
        """Return the field of the message that the path begins with."""
        return re.split(r"[.\[]", self.field, maxsplit=1)[0]

    def without_reason(self) -> FieldError:
        """Return this error of a secret field: what is wrong with a value would tell of it."""
        return FieldError(self.field, "is refused; it holds a secret, so the reason is not shown")


@final
@frozen
class FieldErrors:
    """Say everything that is wrong with a message."""

    fields: tuple[FieldError, ...]


@final
class Unfit(Exception):
    """Refuse a value while it is encoded or decoded; stays inside this chapter."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__(*errors)
        self.errors = errors

    @classmethod
    def because(cls, problem: str) -> Unfit:
        """Refuse the value itself."""
        return cls(FieldError("", problem))

    def at(self, name: str) -> tuple[FieldError, ...]:
        """Return the errors as seen from the owner of field `name`; `[3]` stands for an item."""
        return tuple(evolve(error, field=_joined(name, error.field)) for error in self.errors)


def by_path(errors: Iterable[FieldError]) -> dict[str, str]:
    """Return one problem for each path; several of one path are joined."""
    problems: dict[str, str] = {}
    for error in errors:
        known = problems.get(error.field)
        problems[error.field] = f"{known}, and {error.problem}" if known else error.problem
    return problems


def _joined(name: str, path: str) -> str:
    return f"{name}{path}" if not path or path.startswith("[") else f"{name}.{path}"
