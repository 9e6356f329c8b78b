"""The `returns` view of an effect: a container that its pipelines, folds and laws take.

Knows the interfaces of `returns`; adds nothing that an effect cannot do. Only here is the view run: it is called with
a runtime, as its `Reader`s are, and answers with a `FutureResult`. It is invariant, because their interfaces are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never, TypeVar

from returns.future import FutureResult
from returns.interfaces.specific.ioresult import IOResultLikeN
from returns.interfaces.specific.reader import Contextable
from returns.io import IO, IOResult
from returns.primitives.container import BaseContainer
from returns.primitives.hkt import Kind3, SupportsKind3, dekind
from returns.result import Failure, Result, Success

from effect_runtime.effect import (
    Cancelled,
    Defer,
    Died,
    Eff,
    Exit,
    Failed,
    Raised,
    Succeeded,
    die,
    ensure,
    exit_of,
    fail,
    from_result,
    recover,
    succeed,
)
from effect_runtime.errors import FiberCancelled
from effect_runtime.interpreter._interpreter import live

A = TypeVar("A")
B = TypeVar("B")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")


class Container(
    # A base that is not generic stands first: only then does Hypothesis find the class behind the kinds in their laws.
    BaseContainer,
    SupportsKind3["Container[Any, Any, Any]", A, E, R],
    IOResultLikeN[A, E, R],
    Contextable[FutureResult[A, E], R],
):
    """See an effect as `returns` does. `effect` gives it back; calling the view with a runtime runs it."""

    __slots__ = ()

    _inner_value: Eff[A, E, R]

    def __init__(self, effect: Eff[A, E, R]) -> None:
        super().__init__(effect)

    @property
    def effect(self) -> Eff[A, E, R]:
        """Return the effect."""
        return self._inner_value

    def _again(self, effect: Eff[B, F, R]) -> Container[B, F, R]:
        kind: Any = type(self)  # edge: a class does not say what it can be parametrised with
        view: Container[B, F, R] = kind(effect)
        return view

    def __call__(self, deps: R) -> FutureResult[A, E]:
        """Run the effect with a runtime when the answer is awaited. A defect is raised, a cancellation passes."""
        return FutureResult(_outcome(self._inner_value, deps))

    def map(self, function: Callable[[A], B]) -> Container[B, E, R]:
        """Apply `function` to the value."""
        return self._again(self._inner_value.map(function))

    def apply(self, container: Kind3[Container[Any, Any, Any], Callable[[A], B], E, R]) -> Container[B, E, R]:  # pyright: ignore[reportIncompatibleMethodOverride]  # their kind is not bound to us
        """Apply the function that the other container yields; this one runs first."""
        return self._again(self._inner_value.apply(dekind(container).effect))

    def bind(self, function: Callable[[A], Kind3[Container[Any, Any, Any], B, E, R]]) -> Container[B, E, R]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        """Go on with the container that `function` makes of the value."""
        return self._again(self._inner_value.bind(lambda value: dekind(function(value)).effect))

    def alt(self, function: Callable[[E], F]) -> Container[A, F, R]:
        """Apply `function` to the failure."""
        return self._again(self._inner_value.alt(function))

    def lash(self, function: Callable[[E], Kind3[Container[Any, Any, Any], A, F, R]]) -> Container[A, F, R]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        """Go on with the container that `function` makes of the failure."""
        return self._again(self._inner_value.lash(lambda error: dekind(function(error)).effect))

    def swap(self) -> Container[E, A, R]:
        """Make the failure the value, and the value the failure."""
        return self._again(self._inner_value.swap())

    def bind_result(self, function: Callable[[A], Result[B, E]]) -> Container[B, E, R]:
        """Go on with the `Result` that `function` makes of the value."""
        return self._again(self._inner_value.bind_result(function))

    def bind_io(self, function: Callable[[A], IO[B]]) -> Container[B, E, R]:
        """Go on with the `IO` that `function` makes of the value."""
        return self._again(self._inner_value.map(lambda value: function(value)._inner_value))

    def bind_ioresult(self, function: Callable[[A], IOResult[B, E]]) -> Container[B, E, R]:
        """Go on with the `IOResult` that `function` makes of the value."""
        return self._again(self._inner_value.bind(lambda value: from_result(function(value)._inner_value)))

    def compose_result(  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        self, function: Callable[[Result[A, E]], Kind3[Container[Any, Any, Any], B, E, R]]
    ) -> Container[B, E, R]:
        """Go on with the container that `function` makes of the outcome, seen as a `Result`.

        A defect is shown as a `Failure` of its exception and a cancellation as `Failure(Cancelled())`, so that what
        `managed` releases is released then, too; what the container yields is dropped and the defect or the
        cancellation goes on. Meanwhile it is shielded, as the finalizer of `ensure` is.
        """
        source: Eff[A, E, R] = self._inner_value
        return self._again(Defer(lambda: _composed(source, lambda result: dekind(function(result)).effect)))

    @classmethod
    def from_value(cls, inner_value: B) -> Container[B, Any, Any]:
        """Describe a program that yields a value."""
        return cls(succeed(inner_value))  # type: ignore[arg-type, return-value]  # a class method cannot bind `A` anew

    @classmethod
    def from_failure(cls, inner_value: F) -> Container[Any, F, Any]:
        """Describe a program that fails."""
        return cls(fail(inner_value))  # type: ignore[arg-type, return-value]  # as above

    @classmethod
    def from_result(cls, inner_value: Result[B, F]) -> Container[B, F, Any]:
        """Describe a program that ends as a `Result` says."""
        return cls(from_result(inner_value))  # type: ignore[arg-type, return-value]  # as above

    @classmethod
    def from_io(cls, inner_value: IO[B]) -> Container[B, Any, Any]:
        """Describe a program that yields what an `IO` holds."""
        return cls.from_value(inner_value._inner_value)

    @classmethod
    def from_failed_io(cls, inner_value: IO[F]) -> Container[Any, F, Any]:
        """Describe a program that fails with what an `IO` holds."""
        return cls.from_failure(inner_value._inner_value)

    @classmethod
    def from_ioresult(cls, inner_value: IOResult[B, F]) -> Container[B, F, Any]:
        """Describe a program that ends as an `IOResult` says."""
        return cls.from_result(inner_value._inner_value)


def container(eff: Eff[A, E, R]) -> Container[A, E, R]:
    """See an effect as `returns` does: for `flow`, `managed`, `cond` and `Fold.collect`."""
    return Container(eff)


async def _outcome(eff: Eff[Any, Any, Any], runtime: Any) -> Result[Any, Any]:
    try:
        return Success(await live.interpret(eff, runtime))
    except Raised as signal:
        return Failure(signal.error)


def _composed(source: Eff[Any, Any, Any], function: Callable[[Result[Any, Any]], Eff[Any, Any, Any]]) -> Any:
    """Return the program of one run: it alone knows whether its source was cut off."""
    seen: list[Exit[Any, Any]] = []

    def cut_off() -> Eff[Any, Any, Any]:
        return succeed(None) if seen else _told(function, Cancelled())

    def go_on(exit: Exit[Any, Any]) -> Eff[Any, Any, Any]:
        match exit:
            case Succeeded(value):
                return function(Success(value))
            case Failed(error):
                return function(Failure(error))
            case Died(exception):
                assert isinstance(exception, Exception)  # `exit_of` sees no other.
                return _passing(function, exception, exception)
            case Cancelled():
                return _passing(function, Cancelled(), FiberCancelled())

    def note_exit(exit: Exit[Any, Any]) -> Exit[Any, Any]:
        seen.append(exit)
        return exit

    # `exit_of` lets the host's own cancellation pass: of that one only a finalizer hears.
    return ensure(exit_of(source).map(note_exit), Defer(cut_off)).bind(go_on)


def _passing(
    function: Callable[[Result[Any, Any]], Eff[Any, Any, Any]], shown: object, defect: Exception
) -> Eff[Never]:
    return ensure(die(defect), Defer(lambda: _told(function, shown)))


def _told(function: Callable[[Result[Any, Any]], Eff[Any, Any, Any]], shown: object) -> Eff[Any, Any, Any]:
    """Run what `function` makes of an outcome that goes on anyhow; failing with the outcome itself is no news."""
    return recover(function(Failure(shown)), lambda error: succeed(None) if error is shown else fail(error))
