"""How a program ended: a closed union of four frozen values that both type checkers narrow exactly.

It knows no loop: the interpreter builds these, programs and callers match on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Never, TypeAlias, final

from attrs import frozen
from typing_extensions import TypeVar

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
B = TypeVar("B")
E = TypeVar("E", default=Never)
E_co = TypeVar("E_co", covariant=True, default=Never)


@final
@frozen
class Succeeded(Generic[A_co]):
    """Say that the program ended with a value."""

    value: A_co

    def map(self, function: Callable[[A_co], B]) -> Succeeded[B]:
        """Apply `function` to the value.

        >>> Succeeded(2).map(str) == Succeeded("2")
        True
        """
        return Succeeded(function(self.value))


@final
@frozen
class Failed(Generic[E_co]):
    """Say that the program ended with a failure that its type declares."""

    error: E_co

    def map(self, function: Callable[[Any], Any]) -> Failed[E_co]:
        """Return itself: there is no value to apply `function` to."""
        return self


@final
@frozen(eq=False)
class Died:
    """Say that the program ended with a defect: an exception that no type declares. Compares by its exception."""

    exception: BaseException

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Died) and self.exception is other.exception

    def __hash__(self) -> int:
        return hash((Died, id(self.exception)))

    def map(self, function: Callable[[Any], Any]) -> Died:
        """Return itself: there is no value to apply `function` to."""
        return self


@final
@frozen
class Cancelled:
    """Say that the program was cancelled; nothing else is known."""

    def map(self, function: Callable[[Any], Any]) -> Cancelled:
        """Return itself: there is no value to apply `function` to."""
        return self


Exit: TypeAlias = Succeeded[A] | Failed[E] | Died | Cancelled
"""How a program ended. `run_exit` never returns `Cancelled`: that belongs to the host."""
