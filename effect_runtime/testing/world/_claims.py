"""What must hold in a run: which claims have not held, what they said, and which of those of `sometimes` have.

A claim looks at what is committed, and at nothing that its looking could change: one that fails is asked again, so that
what it looked at can be told. Knows no process and no plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from traceback import extract_tb
from typing import Any, Final, Protocol, TypeAlias, final

from attrs import define, field, frozen

from effect_runtime.effect import Exit
from effect_runtime.errors import ClaimBroken

_ROWS: Final = 6
"""Rows of one question of a claim that are told."""

NOTHING_SAID: Final = "it returned None, which is neither True nor False; return what must be true"


class View(Protocol):
    """What may be looked at between two steps: what is committed, and what clients have been told."""

    @property
    def exits(self) -> Mapping[str, Sequence[Exit[Any, Any] | None]]:
        """Return how the programs of each client have ended so far; None is one that was given up after a crash."""
        ...

    def dead_letters(self, context: str) -> list[str]:
        """Return why each dead letter of one context came to be one."""
        ...

    def query(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the SQLite store of one context."""
        ...


Claim: TypeAlias = Callable[[View], bool]
"""Something that must hold: it returns whether it does, or raises `AssertionError` with what it has seen.

The function's name is the claim. Whatever else it raises is an error of its own: `errors.ClaimBroken`.
"""


def name_of(claim: Callable[..., Any]) -> str:
    """Return the claim's name: the function's, within a partial too, or that of its class."""
    function: Any = getattr(claim, "func", claim)
    return str(getattr(function, "__name__", type(function).__name__))


@final
@frozen
class _Looking:
    """A view that writes down what is asked of it."""

    view: View
    seen: list[str] = field(factory=list)

    @property
    def exits(self) -> Mapping[str, Sequence[Exit[Any, Any] | None]]:
        """Return how the programs of each client have ended so far."""
        exits = self.view.exits
        told = ", ".join(f"{name} {', '.join(map(repr, ended)) or 'nothing yet'}" for name, ended in exits.items())
        self.seen.append(f"exits: {told}")
        return exits

    def dead_letters(self, context: str) -> list[str]:
        """Return why each dead letter of one context came to be one."""
        letters = self.view.dead_letters(context)
        self.seen.append(f"{context}: dead letters {', '.join(letters) or 'none'}")
        return letters

    def query(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the SQLite store of one context."""
        rows = self.view.query(context, statement)
        shown = ", ".join(repr(row[0]) if len(row) == 1 else repr(row) for row in rows[:_ROWS])
        more = f" and {len(rows) - _ROWS} more" if len(rows) > _ROWS else ""
        self.seen.append(f"{context}: {' '.join(statement.split())} -> {shown or 'no row'}{more}")
        return rows


@final
@define(eq=False)
class Claims:
    """The claims of one run. Owned by its world.

    `broken` has what did not hold, by name, with the kind of claim that it is; `said` what it said, or looked at.
    `reached` names what held once. `trouble` is the first claim that could not say whether it holds.
    """

    broken: dict[str, str] = field(factory=dict)
    said: dict[str, tuple[str, ...]] = field(factory=dict)
    reached: dict[str, None] = field(factory=dict)
    trouble: ClaimBroken | None = None

    def look(self, kind: str, claims: Sequence[Claim], view: View) -> list[str]:
        """Look at claims that must hold; return the names of those that do no longer."""
        found = []
        for claim in claims:
            name = name_of(claim)
            if name not in self.broken and not self._holds(claim, view):
                self.broken[name] = f"{kind}({name})"
                self.said[name] = self._said(claim, view)
                found.append(name)
        return found

    def notice(self, claims: Sequence[Claim], view: View) -> None:
        """Look at claims that should hold once."""
        for claim in claims:
            if name_of(claim) not in self.reached and self._holds(claim, view):
                self.reached[name_of(claim)] = None

    def _holds(self, claim: Claim, view: View) -> bool:
        try:
            answer: Any = claim(view)
        except AssertionError:
            return False
        except Exception as error:
            # Never from here: whoever stands at this step would take it for an error of their own.
            self._broke(claim, error, f"it raised {error!r}")
            return True
        if answer is None:
            self._broke(claim, None, NOTHING_SAID)
        return answer is None or bool(answer)

    def _broke(self, claim: Claim, error: Exception | None, reason: str) -> None:
        if self.trouble is None:
            self.trouble = ClaimBroken(name_of(claim), place=place_of(claim, error), reason=reason)
            self.trouble.__cause__ = error

    @staticmethod
    def _said(claim: Claim, view: View) -> tuple[str, ...]:
        """Ask once more, and return the claim's own words, or else what it looked at."""
        looking = _Looking(view)
        try:
            claim(looking)
        except AssertionError as error:
            words = str(error).splitlines()
            return tuple(words) if words else tuple(looking.seen)
        except Exception:  # it is asked for its words alone: its verdict is known
            return ()
        return tuple(dict.fromkeys(looking.seen))


def place_of(claim: Callable[..., Any], error: Exception | None) -> str:
    """Return the line of a claim that raised, or where it begins."""
    code = getattr(getattr(claim, "func", claim), "__code__", None)
    if code is None:
        return type(claim).__qualname__
    frames = [] if error is None else extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename == code.co_filename]
    return f"{code.co_filename}:{own[-1] if own else code.co_firstlineno}"
