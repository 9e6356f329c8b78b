"""`@operation`: an adapter's async method becomes one that returns an effect.

Knows how an operation is built; performing it is the interpreter's work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, Self, overload

from returns.result import Result
from typing_extensions import TypeVar

from effect_runtime.effect import Ask, Eff, Method
from effect_runtime.errors import OperationNotAsync

A = TypeVar("A")
F = TypeVar("F")
R = TypeVar("R", default=object)
S = TypeVar("S")
P = ParamSpec("P")


class Reify(Protocol):
    """Turn an async method into one that returns an effect: `Result[A, E]` gives `Eff[A, E]`, a plain `A` `Eff[A]`."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a Result is itself an A
        self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, Result[A, F]]], /
    ) -> Callable[Concatenate[S, P], Eff[A, F]]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, A]], /
    ) -> Callable[Concatenate[S, P], Eff[A]]: ...


def operation(*, kind: Literal["transactional", "local", "external"], idempotent: bool = False) -> Reify:
    """Make an adapter's async method return an effect that calls it.

    `kind` says how it relates to the unit of work: `transactional` uses its transaction, `local` touches nothing
    outside the process, `external` reaches out. `idempotent` says that performing it again changes nothing more.
    """

    def reify(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Eff[Any, Any]]:
        # A partial of a coroutine function passes for one, but it is no method: it has no name to be known by.
        if not inspect.iscoroutinefunction(method) or not hasattr(method, "__name__"):
            raise OperationNotAsync(method)
        return Method(method, method.__name__, kind, idempotent).builder()

    return reify


_ASK: Ask[Any] = Ask()


class ask(Ask[R], Generic[R]):  # noqa: N801  # reads as a verb where it is used: `yield from ask[HasPatrons]()`
    """Yield the runtime, seen as `R`: `rt = yield from ask[HasPatrons]()`."""

    __slots__ = ()

    def __new__(cls) -> Self:
        """Return the one instruction there is: a class of its own would be a slower path through the loop."""
        return _ASK  # type: ignore[return-value]  # edge: an `Ask` is all that an `ask` can do
