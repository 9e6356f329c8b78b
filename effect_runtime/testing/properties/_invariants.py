"""Whether invariants hold of a model and of what can be read, and what they looked at when they do not.

Knows no command and no story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final

from attrs import field, frozen

from effect_runtime.effect import Eff
from effect_runtime.errors import ClaimBroken, InvariantBroken
from effect_runtime.testing.properties._messages import asked
from effect_runtime.testing.world._claims import NOTHING_SAID, name_of, place_of

A = TypeVar("A")

_ANSWERS: Final = 6
"""Answers that are told: the last ones, for an invariant that goes through many stops at the one that is wrong."""


class Read(Protocol):
    """Answer with the value of a query that must succeed, asked at the application's door."""

    def __call__(self, effect: Eff[A, Any, Any], /) -> A:
        """Ask."""
        ...


Invariant: TypeAlias = Callable[[Any, Read], bool]
"""Something that must hold of a model and of what can be read, after every step. The function's name is the claim.

It returns whether it does, or raises `AssertionError` with what it has seen. Whatever else it raises is an error of its
own: `errors.ClaimBroken`.
"""


def hold(invariants: Sequence[Invariant], model: Any, read: Read, story: Sequence[str]) -> None:
    """Look at every invariant; raises `errors.InvariantBroken` for the first that does not hold."""
    for claim in invariants:
        reading = _Reading(read)
        try:
            answer: Any = claim(model, reading)
        except AssertionError as error:
            said = str(error).splitlines() or reading.seen
            raise InvariantBroken(name_of(claim), story=story, said=said) from error
        except Exception as error:
            raise _unable(claim, error, f"it raised {error!r}") from error
        if answer is None:
            raise _unable(claim, None, NOTHING_SAID)
        if not answer:
            raise InvariantBroken(name_of(claim), story=story, said=reading.seen[-_ANSWERS:])


def _unable(claim: Invariant, error: Exception | None, reason: str) -> ClaimBroken:
    return ClaimBroken(name_of(claim), place=place_of(claim, error), reason=reason)


@final
@frozen
class _Reading:
    """Read, and write down what was answered."""

    read: Read
    seen: list[str] = field(factory=list)

    def __call__(self, effect: Eff[A, Any, Any], /) -> A:
        """Ask."""
        answer = self.read(effect)
        self.seen.append(f"{asked(effect)} -> {answer!r}")
        return answer
