"""What goes wrong while a program runs. Knows no effect: each exception takes names, places and values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from effect_runtime.errors._root import EffectRuntimeError


class UnhandledFailure(EffectRuntimeError):
    """Report that a program which was run for its value ended with a declared failure, kept in `error`.

    `advice` is the way out where the program itself cannot handle the failure.
    """

    def __init__(self, error: Any, advice: str | None = None) -> None:
        # What was given and no more: copying and pickling call the class with `args` again.
        super().__init__(*((error,) if advice is None else (error, advice)))
        self.error = error
        self.advice = advice or "Handle it with catch, recover or attempt, or run the program with run_exit."

    def __str__(self) -> str:
        return f"the program failed with {self.error!r}. {self.advice}"


class NotYetThere(EffectRuntimeError, AttributeError):
    """Report an attribute asked of an effect, where the value was meant that it will yield."""

    def __init__(self, effect: str, *, attribute: str) -> None:
        super().__init__(effect, attribute)
        self.effect = effect
        self.attribute = attribute

    def __str__(self) -> str:
        return (
            f"{self.effect} has no attribute {self.attribute!r}: it describes a value that is not there yet. "
            f"Write `value = yield from ...` first, and ask the value for `.{self.attribute}`."
        )


class AsyncBlock(EffectRuntimeError, TypeError):
    """Refuse an `async def` where a do-block is meant."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.function = function

    def __str__(self) -> str:
        code = getattr(self.function, "__code__", None)
        place = "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
        return (
            f"{_name_of(self.function)}{place} is an async def, "
            f"which could never be interpreted. Write a plain def that uses `yield from`, or lift it with from_async."
        )


class OperationNotAsync(EffectRuntimeError, TypeError):
    """Refuse `@operation` on a function that is no async method."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.function = function

    def __str__(self) -> str:
        return (
            f"@operation needs an async method, and {_name_of(self.function)} is not one. "
            f"Write `async def {getattr(self.function, '__name__', 'method')}(self, ...)`."
        )


class NotAnEffect(EffectRuntimeError, TypeError):
    """Report that a program yielded or returned, where an effect is needed, something else."""

    def __init__(self, value: object, place: str) -> None:
        super().__init__(value, place)
        self.value = value
        self.place = place

    def __str__(self) -> str:
        return (
            f"{self.place}: expected an effect and got {self.value!r}. "
            f"Yield effects with `yield from`, return them from bind, and wrap plain values with succeed."
        )


class NoDispatch(EffectRuntimeError):
    """Report that a dispatched command was run where nothing dispatches it."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.title = title

    def __str__(self) -> str:
        return (
            f"{self.title}(...) was run outside an app. "
            f"Use {self.title}.program(cmd) for the bare program, or app.run({self.title}(cmd))."
        )


class DryRun(EffectRuntimeError):
    """Refuse an operation that a dry run may not perform and nobody answered."""

    def __init__(self, place: str, kind: str) -> None:
        super().__init__(place, kind)
        self.place = place
        self.kind = kind

    def __str__(self) -> str:
        return f"a dry run performs no {self.kind} operation, and {self.place} is one. Answer it with stub({{...}})."


class Suspended(EffectRuntimeError):
    """Report that a program run without an event loop came to wait."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"{self.place} waits, and run_sync has no event loop to wait on. Use `await run(...)`."


class ForkOutsideScope(EffectRuntimeError):
    """Refuse a fork that no scope would end."""

    def __str__(self) -> str:
        return "fork(...) was reached outside scoped(...), so nothing would end it. Wrap the program in scoped(...)."


class UnjoinedFailure(EffectRuntimeError):
    """Report the failure of a fork that nobody joined."""

    def __init__(self, error: Any) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"a fork failed with {self.error!r} and nobody joined it. Join it, or handle its failure inside it."


class FiberCancelled(EffectRuntimeError):
    """Report that a joined fork, or one branch of a parallel program, was cancelled and has no outcome."""

    def __str__(self) -> str:
        return "a fork or branch was cancelled, so it has no value. Ask with exit_of, which yields Cancelled()."


class FinalizerTooSlow(EffectRuntimeError):
    """Report that a finalizer did not end in its time and was given up."""

    def __init__(self, within: timedelta) -> None:
        super().__init__(within)
        self.within = within

    def __str__(self) -> str:
        return (
            f"a finalizer did not end within {self.within.total_seconds():g} s and was given up, "
            f"so its resource may be open. Allow it longer with within=..., or make it quicker."
        )


class RunningWarning(EffectRuntimeError, UserWarning):
    """Warn, in debug mode, of a program that runs and does not do what it seems to."""

    def __init__(self, place: str, problem: str, fix: str) -> None:
        super().__init__(place, problem, fix)
        self.place = place
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} {self.fix}"


def _name_of(function: object) -> str:
    # What is refused may be no function at all: a partial, say, has no name.
    return str(getattr(function, "__qualname__", None) or repr(function))
