"""The effect value: a description of what should happen, and the instructions that hold one continuation.

Knows no loop, no clock, no I/O: building an effect does nothing, and running one is the interpreter's work.
An effect is re-runnable: it stores functions and arguments, never a started generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Never, Protocol, final

from returns.result import Failure, Result, Success
from typing_extensions import TypeAliasType, TypeVar

from effect_runtime.effect._signal import Raised
from effect_runtime.errors import NotYetThere

A = TypeVar("A")
B = TypeVar("B")
E = TypeVar("E", default=Never)
R = TypeVar("R", default=object)
A_co = TypeVar("A_co", covariant=True)
E_co = TypeVar("E_co", covariant=True, default=Never)
R_contra = TypeVar("R_contra", contravariant=True, default=object)
F = TypeVar("F")
G = TypeVar("G")
S = TypeVar("S")


@final
class WriteYieldFrom:
    """Be what `yield effect` would send: nothing can be done with it. Write `yield from`."""

    def __init__(self, never: Never) -> None: ...


class Eff(Generic[A_co, E_co, R_contra]):
    """Describe a program that yields `A`, may fail with `E` and needs a runtime `R`. Nothing runs until a run."""

    __slots__ = ()

    def __iter__(self) -> Generator[Eff[Any, E_co, R_contra], Any, A_co]:
        return (yield self)  # type: ignore[no-any-return]  # edge: the loop sends what this effect yields

    def __repr__(self) -> str:
        return f"<{type(self).__name__} effect>"

    if not TYPE_CHECKING:  # Shown to a type checker, it would make every misspelt name pass.

        def __getattr__(self, name: str) -> Never:
            # Not `repr(self)`: it may read the very attribute that is missing.
            raise NotYetThere(Eff.__repr__(self), attribute=name)

    def map(self, function: Callable[[A_co], B]) -> Eff[B, E_co, R_contra]:
        """Apply `function` to the value."""
        return Map(self, function)

    def bind(self: Eff[A, F, S], function: Callable[[A], Eff[B, G, S]]) -> Eff[B, F | G, S]:
        """Go on with the effect that `function` makes of the value."""
        return Bind(self, function)

    def then(self: Eff[A, F, S], after: Eff[B, G, S]) -> Eff[B, F | G, S]:
        """Go on with `after`, dropping the value. Also written `self >> after`."""
        return Bind(self, _Always(after))

    def __rshift__(self: Eff[A, F, S], after: Eff[B, G, S]) -> Eff[B, F | G, S]:
        return Bind(self, _Always(after))

    def tap(self: Eff[A, F, S], function: Callable[[A], Eff[Any, G, S]]) -> Eff[A, F | G, S]:
        """Run the effect that `function` makes of the value, and keep the value."""
        return Bind(self, lambda value: Map(function(value), lambda _: value))

    def zip(self: Eff[A, F, S], other: Eff[B, G, S]) -> Eff[tuple[A, B], F | G, S]:
        """Run both, one after the other, and pair their values."""
        return Bind(self, lambda first: Map(other, lambda second: (first, second)))

    def apply(self: Eff[A, F, S], function: Eff[Callable[[A], B], G, S]) -> Eff[B, F | G, S]:
        """Apply the function that the other effect yields; this effect runs first."""
        return Bind(self, lambda value: Map(function, lambda call: call(value)))

    def alt(self: Eff[A, F, S], function: Callable[[F], G]) -> Eff[A, G, S]:
        """Apply `function` to the failure."""
        return Fold(self, Pure, lambda error: Fail(function(error)))

    def lash(self: Eff[A, F, S], function: Callable[[F], Eff[B, G, S]]) -> Eff[A | B, G, S]:
        """Go on with the effect that `function` makes of the failure."""
        return Fold(self, Pure, function)

    def swap(self: Eff[A, F, S]) -> Eff[F, A, S]:
        """Make the failure the value, and the value the failure."""
        return Fold(self, Fail, Pure)

    def bind_result(self: Eff[A, F, S], function: Callable[[A], Result[B, G]]) -> Eff[B, F | G, S]:
        """Go on with the `Result` that `function` makes of the value."""
        return Bind(self, lambda value: from_result(function(value)))

    def compose_result(self: Eff[A, F, S], function: Callable[[Result[A, F]], Eff[B, G, S]]) -> Eff[B, G, S]:
        """Go on with the effect that `function` makes of the outcome, seen as a `Result`."""
        return Fold(self, lambda value: function(Success(value)), lambda error: function(Failure(error)))

    def as_none(self) -> Eff[None, E_co, R_contra]:
        """Drop the value."""
        return Map(self, lambda _: None)

    def pipe(self, operator: Callable[[Eff[A_co, E_co, R_contra]], B]) -> B:
        """Apply an operator such as `catch(kind, handler)` or `provide(runtime)` to this effect."""
        return operator(self)

    @staticmethod
    def from_value(value: A) -> Eff[A]:
        """Describe a program that yields `value`."""
        return Pure(value)

    @staticmethod
    def from_failure(error: F) -> Eff[Never, F]:
        """Describe a program that fails with `error`."""
        return Fail(error)

    @staticmethod
    def from_result(result: Result[A, F]) -> Eff[A, F]:
        """Describe a program that ends as `result` says."""
        return from_result(result)


# Not a plain alias: that orders its parameters by their appearance, which would be E, R, A.
Do = TypeAliasType("Do", Generator[Eff[Any, E, R], WriteYieldFrom, A], type_params=(A, E, R))


class Program(Protocol[A_co, E_co, R_contra]):
    """Accept a do-block or an `Eff`; not a coroutine."""

    def __iter__(self) -> Generator[Eff[Any, E_co, R_contra], Any, A_co]:
        """Return a generator that yields the effects of this program."""
        ...


@final
class Pure(Eff[A_co]):
    """Yield a value at once."""

    __slots__ = ("value",)

    def __init__(self, value: A_co) -> None:
        self.value = value

    def __iter__(self) -> Generator[Eff[Any], Any, A_co]:
        # No trip through the loop: a value needs none, and this makes `yield from succeed(x)` cost two calls.
        return self.value
        # Never reached: it makes this a generator function, which is what `yield from` asks of it.
        yield self

    def __repr__(self) -> str:
        return f"succeed({self.value!r})"


@final
class Fail(Eff[Never, E_co]):
    """Fail with a declared error."""

    __slots__ = ("error",)

    def __init__(self, error: E_co) -> None:
        self.error = error

    def __iter__(self) -> Generator[Eff[Any, E_co], Any, Never]:
        # Raised right here, the traceback starts at the user's own line and needs no trip through the loop.
        raise Raised(self.error)
        # As in `Pure`: never reached.
        yield self

    def __repr__(self) -> str:
        return f"fail({self.error!r})"


@final
class Die(Eff[Never]):
    """End with a defect."""

    __slots__ = ("exception",)

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception


class Ask(Eff[R, Never, R]):
    """Yield the runtime of the program."""

    __slots__ = ()


@final
class Map(Eff[Any, Any, Any]):
    """Apply a function to the value of `source`."""

    __slots__ = ("function", "source")

    def __init__(self, source: Eff[Any, Any, Any], function: Callable[[Any], Any]) -> None:
        self.source = source
        self.function = function


@final
class Bind(Eff[Any, Any, Any]):
    """Go on from the value of `source` with the effect that a function makes of it."""

    __slots__ = ("function", "source")

    def __init__(self, source: Eff[Any, Any, Any], function: Callable[[Any], Eff[Any, Any, Any]]) -> None:
        self.source = source
        self.function = function


@final
class Fold(Eff[Any, Any, Any]):
    """Go on from either outcome of `source`; defects and cancellation pass."""

    __slots__ = ("failed", "source", "succeeded")

    def __init__(
        self,
        source: Eff[Any, Any, Any],
        succeeded: Callable[[Any], Eff[Any, Any, Any]],
        failed: Callable[[Any], Eff[Any, Any, Any]],
    ) -> None:
        self.source = source
        self.succeeded = succeeded
        self.failed = failed


@final
class _Always:
    """Answer every value with one effect."""

    __slots__ = ("effect",)

    def __init__(self, effect: Eff[Any, Any, Any]) -> None:
        self.effect = effect

    def __call__(self, _: object) -> Eff[Any, Any, Any]:
        return self.effect


_new = object.__new__
"""Builds an instruction without calling an `__init__`, which costs three times as much. For the hot paths alone."""


def succeed(value: A) -> Eff[A]:
    """Describe a program that yields `value`."""
    effect: Any = _new(Pure)
    effect.value = value
    return effect  # type: ignore[no-any-return]  # edge: built without its class


def fail(error: F) -> Eff[Never, F]:
    """Describe a program that fails with `error`; in a do-block write `return (yield from fail(error))`."""
    effect: Any = _new(Fail)
    effect.error = error
    return effect  # type: ignore[no-any-return]  # edge: built without its class


def die(exception: Exception) -> Eff[Never]:
    """Describe a program that ends with a defect: a bug, which no type declares."""
    return Die(exception)


def from_result(result: Result[A, F]) -> Eff[A, F]:
    """Describe a program that ends as `result` says."""
    match result:
        case Success(value):
            return Pure(value)
        case Failure(error):
            return Fail(error)
        case _:
            raise TypeError(result)
