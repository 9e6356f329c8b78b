"""What a cancellation is, whether it is over, and how to run what it must not break.

Knows anyio's cancel scopes and asyncio's own `Task.cancel()`; knows no effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import nullcontext, suppress
from typing import Any, Generic, Protocol, TypeVar, final

import anyio
import anyio.lowlevel

T = TypeVar("T")

# Two kinds of cancellation meet in this module. A cancel scope's is a level: every wait raises until the scope is
# left. asyncio's own `Task.cancel()` is an edge: it raises once, `Task.cancelling()` counts it until somebody says
# `uncancel`, and a program that swallows it would run on. trio knows scopes alone.
_ANYIO = "Cancelled via cancel scope"
"""How anyio marks the cancellations that come from its own scopes; any other is native to asyncio."""


def is_cancellation(error: BaseException | None) -> bool:
    """Say whether `error` is how the running event loop cancels a task."""
    if error is None or isinstance(error, Exception):
        return False
    kind = _cancellation_kind()
    return kind is not None and isinstance(error, kind)


def baseline() -> int:
    """Return how many native cancellations of this task were there before the one that was just seen."""
    return max(0, _native_cancellations() - 1)


async def confirm(suspect: BaseException, seen: int) -> None:
    """Raise the cancellation again unless it is over: its scope was left, or its task was uncancelled."""
    await anyio.lowlevel.checkpoint_if_cancelled()
    if is_pending(seen):
        raise suspect


def is_pending(seen: int) -> bool:
    """Say whether a native cancellation of this task is not over; a scope's own speaks up at the next wait."""
    return _native_cancellations() > seen


def insist(suspect: BaseException, seen: int) -> bool:
    """Make a native cancellation meet the program at its next wait too, as one by a cancel scope does by itself.

    Return whether that was needed.
    """
    if not isinstance(suspect, asyncio.CancelledError) or _is_from_scope(suspect) or not is_pending(seen):
        return False
    _ask_again(suspect)
    return True


async def arrived(error: BaseException | None) -> None:
    """Let a cancellation that was asked for again arrive here: it must not meet whoever goes on after the program.

    `error` is how the program ended; a value (None) or an `Exception` gives way to the cancellation.
    """
    with suppress(asyncio.CancelledError) if is_cancellation(error) else nullcontext():
        # `Task.cancel()` has been called already and is delivered at the next wait, so one trip through the loop is
        # enough.
        await asyncio.sleep(0)


async def unbroken(coroutine: Coroutine[Any, Any, T], strand: Insistent) -> T:
    """Await `coroutine` to its end, even while asyncio's own `Task.cancel()` is called: that is seen afterwards.

    `strand` is told when one was kept for later. Cancel scopes work inside as ever. `asyncio.timeout` does not: its
    cancellation cannot be told from the host's.
    """
    if _cancellation_kind() is not asyncio.CancelledError:
        return await coroutine
    # Not a task of its own with `asyncio.shield`: finalizers run in the task that opened what they close, because a
    # cancel scope may only be left there.
    waiting = _Unbroken(coroutine)
    try:
        return await waiting
    finally:
        strand.insisted = strand.insisted or waiting.is_cancelled


class Insistent(Protocol):
    """Remember that a native cancellation was asked for again and has not arrived."""

    insisted: bool


@final
class _Unbroken(Generic[T]):
    """Wait for what the coroutine waits for behind a future of our own, which is the one that gets cancelled."""

    __slots__ = ("_cancelled", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._cancelled: asyncio.CancelledError | None = None

    @property
    def is_cancelled(self) -> bool:
        """Say whether a cancellation was kept for later."""
        return self._cancelled is not None

    def __await__(self) -> Generator[Any, None, T]:
        thrown: BaseException | None = None
        try:
            while True:
                try:
                    # Driven by hand, as a Task drives it: only between the two can a cancellation be held back.
                    waited = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                thrown = yield from self._wait(waited)
        finally:
            if self._cancelled is not None:
                # However it ended: the host gets the cancellation that it asked for, only later.
                _ask_again(self._cancelled)

    def _wait(self, waited: Any) -> Generator[Any, None, BaseException | None]:
        """Wait for what the coroutine yielded; return what to throw into it."""
        if waited is None:  # A bare yield: let other tasks run once.
            try:
                yield None
            except asyncio.CancelledError as cancelled:
                return cancelled if self._is_to_pass(cancelled) else None
            return None
        # By this flag a Task knows that a future was awaited and not merely yielded. We stand in the Task's place, so
        # we clear it as the Task does.
        waited._asyncio_future_blocking = False
        while not waited.done():
            # `Task.cancel()` cancels the future that the task waits for. That must not be the coroutine's own, whose
            # work would be lost.
            proxy = asyncio.get_running_loop().create_future()
            waited.add_done_callback(lambda _, proxy=proxy: proxy.done() or proxy.set_result(None))
            try:
                yield from proxy
            except asyncio.CancelledError as cancelled:
                if self._is_to_pass(cancelled):
                    waited.cancel(cancelled.args[0])
        return None

    def _is_to_pass(self, cancelled: asyncio.CancelledError) -> bool:
        """Say whether a cancel scope inside asks; keep what the host asks for later."""
        if _is_from_scope(cancelled):
            return True
        self._cancelled = cancelled
        return False


def _is_from_scope(cancelled: asyncio.CancelledError) -> bool:
    return bool(cancelled.args) and str(cancelled.args[0]).startswith(_ANYIO)


def _ask_again(cancelled: asyncio.CancelledError) -> None:
    """Let the task see the cancellation at its next wait; the count of its cancellations stays as it was."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
        task.cancel(*cancelled.args)


def _cancellation_kind() -> type[BaseException] | None:
    """Return how the running event loop cancels, if one runs. Asked of anyio: sniffio is no dependency of either."""
    try:
        return anyio.get_cancelled_exc_class()
    except RuntimeError:
        return None


def _native_cancellations() -> int:
    if _cancellation_kind() is not asyncio.CancelledError:
        return 0
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
