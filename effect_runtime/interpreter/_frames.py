"""What the combinators around one program mean: how each is entered, and what it does with either outcome.

`ENTER`, `RESUME` and `UNWIND` are read by the loop. Cancel scopes are entered and left here, in the strand's own task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import anyio
from anyio import CancelScope
from returns.result import Failure, Success

from effect_runtime.effect import (
    Acquire,
    Attempt,
    Bind,
    Call,
    Cancelled,
    Caught,
    Defer,
    Die,
    Died,
    Eff,
    Ensure,
    ExitOf,
    Fail,
    Failed,
    Fold,
    FromAsync,
    FromBlocking,
    FromSync,
    Local,
    Map,
    Operation,
    Pure,
    Raised,
    Scoped,
    Succeeded,
    TimedOut,
    Timeout,
    Uninterruptible,
)
from effect_runtime.effect import Ask as AskRuntime
from effect_runtime.errors import FiberCancelled, NoDispatch
from effect_runtime.interpreter._cancellation import is_cancellation, is_pending
from effect_runtime.interpreter._loop import Confirm, Thrown, enter_confirm
from effect_runtime.interpreter._outcome import worst
from effect_runtime.interpreter._scope import close_scope, finalize, open_scope, uninterrupted
from effect_runtime.interpreter._strand import Effect, Enter, Finalizer, Resume, Runtime, ScopeFrame, Strand, Unwind
from effect_runtime.interpreter._traceback import relink


@final
class _RuntimeFrame:
    """Put the outer runtime back."""

    __slots__ = ("outer",)

    def __init__(self, outer: Runtime) -> None:
        self.outer = outer


@final
class _TimeFrame:
    """Leave the cancel scope that bounds the time of a program."""

    __slots__ = ("eff", "scope")

    def __init__(self, eff: Timeout, scope: CancelScope | None) -> None:
        self.eff = eff
        self.scope = scope


@final
class _EnsureFrame:
    """Run a finalizer."""

    __slots__ = ("finalizer",)

    def __init__(self, finalizer: Finalizer) -> None:
        self.finalizer = finalizer


@final
class _OpenFrame:
    """Hand an opened resource to the scope."""

    __slots__ = ("eff",)

    def __init__(self, eff: Acquire) -> None:
        self.eff = eff


@final
class _Leave(Eff[Any, Any, Any]):
    """Close what a frame opened, then go on with the outcome: leaving may wait, and only entering can."""

    __slots__ = ("error", "frame", "value")

    def __init__(self, frame: ScopeFrame | _EnsureFrame, value: Any, error: BaseException | None = None) -> None:
        self.frame = frame
        self.value = value
        self.error = error


async def _die(strand: Strand, eff: Die) -> Effect:
    return Thrown(eff.exception)


async def _ask(strand: Strand, eff: Effect) -> Effect:
    return Pure(strand.runtime)


async def _operate(strand: Strand, eff: Operation) -> Effect:
    """Perform an operation of a class that the loop does not know by heart."""
    perform = strand.machine.perform or perform_live
    answer = await perform(eff, strand.runtime)
    return answer if isinstance(answer, Eff) else _settled(answer)


def _settled(answer: Any) -> Effect:
    """Unwrap the answer of an operation as the loop does."""
    match answer:
        case Success(value):
            return Pure(value)
        case Failure(error):
            return Fail(error)
        case _:
            return Pure(answer)


async def perform_live(operation: Operation, runtime: Runtime) -> Any:
    """Perform an operation by calling its adapter."""
    if isinstance(operation, Call):
        raise NoDispatch(operation.title)
    return await operation.function(*operation.call, **operation.kwargs)


async def _defer(strand: Strand, eff: Defer) -> Effect:
    return eff.function()


async def _from_async(strand: Strand, eff: FromAsync) -> Effect:
    return Pure(await eff.function(*eff.arguments, **eff.keywords))


async def _from_sync(strand: Strand, eff: FromSync) -> Effect:
    return Pure(eff.function(*eff.arguments, **eff.keywords))


async def _from_blocking(strand: Strand, eff: FromBlocking) -> Effect:
    blocking = strand.machine.host.blocking
    if strand.loopless:
        return Pure(blocking.run(eff.function, *eff.arguments, **eff.keywords))
    return Pure(await blocking.offload(eff.function, *eff.arguments, **eff.keywords))


async def _local(strand: Strand, eff: Local) -> Effect:
    inner = eff.function(strand.runtime)
    strand.stack.append(_RuntimeFrame(strand.runtime))
    strand.runtime = inner
    return eff.source


async def _timeout(strand: Strand, eff: Timeout) -> Effect:
    scope: CancelScope | None = None
    if not strand.loopless:
        # Entered by hand and left where its frame is resumed or unwound. Scopes must nest, and they do because frames
        # do.
        scope = CancelScope(deadline=anyio.current_time() + eff.after.total_seconds())
        scope.__enter__()
    strand.stack.append(_TimeFrame(eff, scope))
    return eff.source


async def _uninterruptible(strand: Strand, eff: Uninterruptible) -> Effect:
    return Pure(await uninterrupted(strand, eff.source))


async def _ensure(strand: Strand, eff: Ensure) -> Effect:
    strand.stack.append(_EnsureFrame(Finalizer(eff.finalizer, strand.runtime, eff.within)))
    return eff.source


async def _acquire(strand: Strand, eff: Acquire) -> Effect:
    strand.enclosing_scope()
    strand.stack.append(_OpenFrame(eff))
    return eff.source


async def _scoped(strand: Strand, eff: Scoped) -> Effect:
    outer, strand.scope = strand.scope, await open_scope(strand)
    strand.stack.append(ScopeFrame(strand.scope, outer))
    return eff.source


async def _leave(strand: Strand, eff: _Leave) -> Effect:
    if isinstance(eff.frame, ScopeFrame):
        error = await close_scope(strand, eff.frame.scope, eff.error)
    else:
        error = await finalize(strand, [eff.frame.finalizer], eff.error)
    return Pure(eff.value) if error is None else Thrown(error)


ENTER: Mapping[type[Any], Enter] = {
    Die: _die,
    AskRuntime: _ask,
    Operation: _operate,
    Defer: _defer,
    FromAsync: _from_async,
    FromSync: _from_sync,
    FromBlocking: _from_blocking,
    Local: _local,
    Timeout: _timeout,
    Uninterruptible: _uninterruptible,
    Ensure: _ensure,
    Acquire: _acquire,
    Scoped: _scoped,
    Confirm: enter_confirm,
    _Leave: _leave,
}


def _resume_runtime(strand: Strand, frame: _RuntimeFrame, value: Any) -> Effect:
    strand.runtime = frame.outer
    return Pure(value)


def _resume_time(strand: Strand, frame: _TimeFrame, value: Any) -> Effect:
    if frame.scope is not None:
        # A value is a value, even where the time ran out while it was on its way: nothing was cut off.
        frame.scope.__exit__(None, None, None)
    return Pure(value)


def _resume_open(strand: Strand, frame: _OpenFrame, value: Any) -> Effect:
    # Between opening and this line nothing waits, so no cancellation can lose the resource.
    eff = frame.eff
    strand.enclosing_scope().finalizers.append(Finalizer(Defer(lambda: eff.close(value)), strand.runtime, eff.within))
    return Pure(value)


def _resume_scope(strand: Strand, frame: ScopeFrame, value: Any) -> Effect:
    strand.scope = frame.outer
    return _Leave(frame, value)


RESUME: Mapping[type[Any], Resume] = {
    Bind: lambda strand, frame, value: frame.function(value),
    Map: lambda strand, frame, value: Pure(frame.function(value)),
    Fold: lambda strand, frame, value: frame.succeeded(value),
    Caught: lambda strand, frame, value: Pure(value),
    Attempt: lambda strand, frame, value: Pure(Succeeded(value)),
    ExitOf: lambda strand, frame, value: Pure(Succeeded(value)),
    _RuntimeFrame: _resume_runtime,
    _TimeFrame: _resume_time,
    _OpenFrame: _resume_open,
    _EnsureFrame: lambda strand, frame, value: _Leave(frame, value),
    ScopeFrame: _resume_scope,
}


def _unwind_fold(strand: Strand, frame: Fold, error: BaseException) -> Effect | None:
    return frame.failed(error.error) if isinstance(error, Raised) else None


def _unwind_caught(strand: Strand, frame: Caught, error: BaseException) -> Effect | None:
    if isinstance(error, Raised) and isinstance(error.error, frame.kind):
        answer: Effect = frame.handler(error.error)
        return answer
    return None


def _unwind_attempt(strand: Strand, frame: Attempt, error: BaseException) -> Effect | None:
    return Pure(Failed(error.error)) if isinstance(error, Raised) else None


def _unwind_exit(strand: Strand, frame: ExitOf, error: BaseException) -> Effect | None:
    match error:
        case Raised():
            return Pure(Failed(error.error))
        # Before `Exception`, which it is as well: whoever joins a cancelled fork meets this defect, whoever asks for
        # its exit `Cancelled`.
        case FiberCancelled():
            return Pure(Cancelled())
        case Exception():
            return Pure(Died(relink(error)))
        case _ if is_cancellation(error):
            # Our own host's cancellation must pass: only one that is over by now was somebody else's.
            return Confirm(Cancelled())
        case _:
            return None


def _unwind_runtime(strand: Strand, frame: _RuntimeFrame, error: BaseException) -> None:
    strand.runtime = frame.outer


def _unwind_time(strand: Strand, frame: _TimeFrame, error: BaseException) -> Effect | None:
    # The scope alone can tell its own cancellation from the host's or an outer timeout's, which pass.
    if frame.scope is not None and frame.scope.__exit__(type(error), error, error.__traceback__):
        if not is_pending(strand.baseline):
            strand.suspect = None
        # A finalizer that broke while the program was cut off would be hidden by the timeout, and is worse than one.
        broken = worst(strand.defects)
        strand.defects.clear()
        return Thrown(broken or Raised(TimedOut(frame.eff.after)))
    return None


def _unwind_scope(strand: Strand, frame: ScopeFrame, error: BaseException) -> Effect:
    strand.scope = frame.outer
    return _Leave(frame, None, error)


UNWIND: Mapping[type[Any], Unwind] = {
    Fold: _unwind_fold,
    Caught: _unwind_caught,
    Attempt: _unwind_attempt,
    ExitOf: _unwind_exit,
    _RuntimeFrame: _unwind_runtime,
    _TimeFrame: _unwind_time,
    _EnsureFrame: lambda strand, frame, error: _Leave(frame, None, error),
    ScopeFrame: _unwind_scope,
}
