"""Scopes and finalizers: what a program opened is closed, on every kind of exit, once, in reverse, shielded.

Entered and left in the strand's own task, so that what a resource needs of its task (a cancel scope) still fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from anyio import CancelScope

from effect_runtime.effect import Died, Failed, Raised
from effect_runtime.errors import FinalizerTooSlow, UnhandledFailure, UnjoinedFailure
from effect_runtime.interpreter._cancellation import is_cancellation, unbroken
from effect_runtime.interpreter._outcome import worst
from effect_runtime.interpreter._strand import Effect, Finalizer, Scope, Strand


async def open_scope(strand: Strand) -> Scope:
    """Open a scope that can hold forks; without an event loop, one that cannot."""
    if strand.loopless:
        return Scope()
    group = anyio.create_task_group()
    await group.__aenter__()
    return Scope(group)


async def close_scope(strand: Strand, scope: Scope, error: BaseException | None) -> BaseException | None:
    """Cancel the forks that still run, then close the resources; return what is to be raised after all."""
    if scope.task_group is not None:
        error = await _end_fibers(strand, scope, error)
    return await finalize(strand, scope.finalizers[::-1], error)


async def _end_fibers(strand: Strand, scope: Scope, error: BaseException | None) -> BaseException | None:
    group = scope.task_group
    assert group is not None
    # The group must see a cancellation that passes it, and must not see a failure: it would wrap it in a group of its
    # own.
    passing = error if is_cancellation(error) else None
    if passing is None:
        group.cancel_scope.cancel()
    try:
        swallowed = await group.__aexit__(type(passing) if passing else None, passing, None)
        if passing is not None and swallowed:
            # It came from this scope: a fork died. What broke on the way out comes back with it.
            error = worst(strand.defects)
            strand.defects.clear()
    except BaseException as raised:
        error = raised
    found = [] if error is None else [error]
    for fiber in scope.fibers:
        match fiber.exit:
            case Died(defect):
                found.append(defect)
            case Failed(failure) if not fiber.joined:
                found.append(UnjoinedFailure(failure).with_traceback(fiber.traceback))
            case _:
                pass
    scope.fibers.clear()
    return tell(strand, found)


async def finalize(
    strand: Strand, finalizers: Sequence[Finalizer], error: BaseException | None
) -> BaseException | None:
    """Run finalizers one after another, whatever each does; return what is to be raised after all."""
    found = [] if error is None else [error]
    for finalizer in finalizers:
        try:
            await _close(strand, finalizer)
        except Raised as signal:
            # By its type a finalizer cannot fail, so one that does is a bug.
            found.append(UnhandledFailure(signal.error).with_traceback(signal.__traceback__))
        except BaseException as raised:
            found.append(raised)
    return tell(strand, found)


def tell(strand: Strand, found: Sequence[BaseException]) -> BaseException | None:
    """Return the worst of several errors; defects that give way to a cancellation are kept for whoever ends it."""
    chosen = worst(found)
    if is_cancellation(chosen):
        strand.defects.extend(error for error in found if isinstance(error, Exception))
    return chosen


async def _close(strand: Strand, finalizer: Finalizer) -> None:
    # A strand of its own: the stack of the program is being unwound and must not meet the finalizer's errors a second
    # time.
    own = Strand(strand.machine, finalizer.runtime, loopless=strand.loopless)
    if strand.loopless:
        await strand.machine.unfold(own, finalizer.effect)
        return
    # Shielded: a resource must be closed even while we are being cancelled, but not for ever.
    deadline = anyio.current_time() + finalizer.within.total_seconds()
    with CancelScope(deadline=deadline, shield=True) as scope:
        await unbroken(strand.machine.unfold(own, finalizer.effect), strand)
    if scope.cancelled_caught:
        raise FinalizerTooSlow(finalizer.within)


async def uninterrupted(strand: Strand, effect: Effect) -> Any:
    """Run `effect` to its end before a cancellation is seen."""
    branch = strand.branch(strand.runtime)
    if branch.loopless:
        return await branch.machine.unfold(branch, effect)
    with CancelScope(shield=True):
        return await unbroken(branch.machine.unfold(branch, effect), strand)
