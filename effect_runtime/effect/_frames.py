"""Combinators around one program: what to do with its outcome, its resources, its runtime and its time.

Knows no loop: each is an instruction that names its source; the interpreter keeps the matching frame on its stack.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any, Generic, Never, final, overload

from attrs import frozen
from typing_extensions import TypeVar

from effect_runtime.effect._eff import A, B, Eff, F, Fail, Fold, G, Pure, S
from effect_runtime.effect._exit import Exit, Failed, Succeeded

H = TypeVar("H")
N = TypeVar("N")

CLOSING_TIME = timedelta(seconds=30)
"""How long a finalizer may take before it is given up, unless it says otherwise."""


class _Around(Eff[Any, Any, Any]):
    """Name the program that an instruction is about."""

    __slots__ = ("source",)

    def __init__(self, source: Eff[Any, Any, Any]) -> None:
        self.source = source


@final
class Attempt(_Around):
    """Yield `Succeeded` or `Failed`."""

    __slots__ = ()


@final
class ExitOf(_Around):
    """Yield the exit of any kind."""

    __slots__ = ()


@final
class Scoped(_Around):
    """Bound the life of what `source` acquires and forks."""

    __slots__ = ()


@final
class Uninterruptible(_Around):
    """Run `source` to its end before a cancellation is seen."""

    __slots__ = ()


@final
class Caught(Eff[Any, Any, Any]):
    """Answer failures of one kind."""

    __slots__ = ("handler", "kind", "source")

    source: Eff[Any, Any, Any]
    kind: type[Any]
    handler: Callable[[Any], Any]

    def __iter__(self) -> Generator[Eff[Any, Any, Any], Any, Any]:
        source = self.source
        if type(source) is Fail and isinstance(source.error, self.kind):
            # What is caught where it is raised needs no signal and no frame; a value, no trip through the loop.
            answer = self.handler(source.error)
            return answer.value if type(answer) is Pure else (yield answer)
        return (yield self)


@final
class Ensure(Eff[Any, Any, Any]):
    """Run a finalizer after `source`, whatever its exit."""

    __slots__ = ("finalizer", "source", "within")

    def __init__(self, source: Eff[Any, Any, Any], finalizer: Eff[Any, Any, Any], within: timedelta) -> None:
        self.source = source
        self.finalizer = finalizer
        self.within = within


@final
class Acquire(Eff[Any, Any, Any]):
    """Open a resource and let the scope close it."""

    __slots__ = ("close", "source", "within")

    def __init__(
        self, source: Eff[Any, Any, Any], close: Callable[[Any], Eff[Any, Any, Any]], within: timedelta
    ) -> None:
        self.source = source
        self.close = close
        self.within = within


@final
class Timeout(Eff[Any, Any, Any]):
    """Cancel `source` after a while."""

    __slots__ = ("after", "source")

    def __init__(self, source: Eff[Any, Any, Any], after: timedelta) -> None:
        self.source = source
        self.after = after


@final
class Local(Eff[Any, Any, Any]):
    """Run `source` with another runtime."""

    __slots__ = ("function", "source")

    def __init__(self, source: Eff[Any, Any, Any], function: Callable[[Any], Any]) -> None:
        self.source = source
        self.function = function


@final
class Defer(Eff[Any, Any, Any]):
    """Build the program when it is needed."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Eff[Any, Any, Any]]) -> None:
        self.function = function


@final
@frozen
class TimedOut:
    """Be the failure of a program that took longer than it may."""

    after: timedelta


@final
class Catch(Generic[F, B, G]):
    """Answer failures of one kind; apply it with `effect.pipe(catch(kind, handler))`."""

    __slots__ = ("_handler", "_kind")

    def __init__(self, kind: type[F], handler: Callable[[F], Eff[B, G]]) -> None:
        self._kind = kind
        self._handler = handler

    @overload
    def __call__(self, eff: Eff[A, F, S]) -> Eff[A | B, G, S]: ...
    @overload
    def __call__(self, eff: Eff[A, F | H, S]) -> Eff[A | B, G | H, S]: ...
    def __call__(self, eff: Any) -> Any:
        caught = Caught()
        caught.source = eff
        caught.kind = self._kind
        caught.handler = self._handler
        return caught


def catch(kind: type[F], handler: Callable[[F], Eff[B, G]]) -> Catch[F, B, G]:
    """Answer the failures that are instances of `kind`, and let the others pass.

    The handler needs no runtime. Catching undoes nothing that the program did before it failed.
    """
    return Catch(kind, handler)


def attempt(eff: Eff[A, F, S]) -> Eff[Succeeded[A] | Failed[F], Never, S]:
    """Yield the outcome as a value. Defects and cancellation pass; nothing is undone."""
    return Attempt(eff)


def exit_of(eff: Eff[A, F, S]) -> Eff[Exit[A, F], Never, S]:
    """Yield the exit of any kind. A cancellation that comes from the host still passes."""
    return ExitOf(eff)


def recover(eff: Eff[A, F, S], handler: Callable[[F], Eff[B, G, S]]) -> Eff[A | B, G, S]:
    """Answer every failure with the effect that `handler` makes of it."""
    return Fold(eff, Pure, handler)


def or_else(eff: Eff[A, F, S], fallback: Eff[B, G, S]) -> Eff[A | B, G, S]:
    """Answer every failure with one other effect."""
    return Fold(eff, Pure, lambda _: fallback)


def guard(condition: bool, error: F) -> Eff[None, F]:
    """Fail with `error` unless the condition holds."""
    return Pure(None) if condition else Fail(error)


def require(value: A | None, error: F) -> Eff[A, F]:
    """Yield the value, or fail with `error` if it is `None`."""
    return Fail(error) if value is None else Pure(value)


def ensure(eff: Eff[A, F, S], finalizer: Eff[Any, Never, S], *, within: timedelta = CLOSING_TIME) -> Eff[A, F, S]:
    """Run `finalizer` once after `eff`, on every kind of exit, shielded from cancellation for at most `within`."""
    return Ensure(eff, finalizer, within)


def acquire(
    open: Eff[A, F, S], close: Callable[[A], Eff[Any, Never, S]], *, within: timedelta = CLOSING_TIME
) -> Eff[A, F, S]:
    """Open a resource that the enclosing `scoped` (or the end of the run) closes.

    Resources close in reverse, each once, shielded from cancellation for at most `within`. Opening may be
    cancelled; where a half-opened resource would leak, wrap it: `acquire(uninterruptible(open), close)`.
    """
    return Acquire(open, close, within)


def scoped(eff: Eff[A, F, S]) -> Eff[A, F, S]:
    """Bound the life of everything that `eff` acquires and forks.

    At its end forks that still run are cancelled, then resources are closed in reverse.
    """
    return Scoped(eff)


def timeout(eff: Eff[A, F, S], after: timedelta) -> Eff[A, F | TimedOut, S]:
    """Cancel `eff` after a while and fail with `TimedOut`; its finalizers have run by then."""
    return Timeout(eff, after)


def uninterruptible(eff: Eff[A, F, S]) -> Eff[A, F, S]:
    """Run `eff` to its end before a cancellation is seen."""
    return Uninterruptible(eff)


def provide(runtime: S) -> Callable[[Eff[A, F, S]], Eff[A, F]]:
    """Supply the runtime, so that the result needs none."""
    return lambda eff: Local(eff, lambda _: runtime)


def local(eff: Eff[A, F, N], function: Callable[[S], N]) -> Eff[A, F, S]:
    """Run `eff` with the runtime that `function` makes of the current one."""
    return Local(eff, function)


def defer(function: Callable[[], Eff[A, F, S]]) -> Eff[A, F, S]:
    """Build the program when it is reached: recursion through `defer` needs no Python stack."""
    return Defer(function)
