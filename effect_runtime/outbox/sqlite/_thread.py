"""A thread of the store's own, and the event loop it reports to.

The thread is started and joined by whoever opens the store. It is woken once for each job, which is several times
cheaper than borrowing a worker for it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread as SystemThread
from typing import Any, TypeVar, final

import anyio
from anyio.lowlevel import current_token
from attrs import frozen

T = TypeVar("T")


@final
@frozen
class Outcome:
    """What a job returned or raised."""

    value: Any  # edge: the job's own type is restored by whoever submitted it
    error: BaseException | None


@final
class Loop:
    """The event loop in which the store was opened, as a place to call functions in."""

    def __init__(self) -> None:
        token: Any = current_token()  # edge: anyio gives its own token or the engine's, depending on its version
        engine: Any = getattr(token, "native_token", token)
        is_asyncio = hasattr(engine, "call_soon_threadsafe")
        # Kept from the beginning: the thread that reports has no running loop to ask.
        self.soon: Callable[[Callable[[], None]], Any] = engine.call_soon if is_asyncio else engine.run_sync_soon
        self._report = engine.call_soon_threadsafe if is_asyncio else engine.run_sync_soon

    def report(self, function: Callable[[Outcome], None], outcome: Outcome) -> None:
        """Call a function in the loop, from another thread; a loop that has ended hears nothing."""
        # The loop is closed: the program ended without closing the store, and nobody waits for the answer.
        with suppress(RuntimeError):
            self._report(function, outcome)


@final
class Thread:
    """A thread that runs one job after the other and reports each to the loop."""

    def __init__(self, loop: Loop, *, name: str) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Callable[[Outcome], None]] | None] = SimpleQueue()
        # A daemon: a program that ends without closing its store must not hang.
        self._thread = SystemThread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], object], done: Callable[[Outcome], None]) -> None:
        """Run a job on the thread and then `done` in the loop."""
        self._jobs.put((job, done))

    async def call(self, job: Callable[[], T]) -> T:
        """Run a job on the thread and wait for it; a cancellation waits too, so that it is never abandoned."""
        finished = anyio.Event()
        outcomes: list[Outcome] = []

        def done(outcome: Outcome) -> None:
            outcomes.append(outcome)
            finished.set()

        self.submit(job, done)
        await wait_for(finished, within=math.inf)
        (outcome,) = outcomes
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.value
        return result

    def stop(self) -> None:
        """Finish what was submitted, then end the thread and join it. Blocking."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done = entry
            try:
                outcome = Outcome(job(), None)
            except BaseException as error:  # reported to the loop, where it is raised
                outcome = Outcome(None, error)
            self._loop.report(done, outcome)


async def wait_for(event: anyio.Event, *, within: float) -> bool:
    """Wait for an event even while being cancelled, then at most `within` seconds; tell whether it came.

    The cancellation is not lost: it comes back at the caller's next checkpoint.
    """
    try:
        await event.wait()
    except anyio.get_cancelled_exc_class():
        native = _is_native_cancellation()
        with anyio.move_on_after(within, shield=True):
            # Shielded from anyio's cancellation, not from `Task.cancel`: each of those wakes us once more, and we go on
            # waiting.
            while not event.is_set():
                try:
                    await event.wait()
                except anyio.get_cancelled_exc_class():
                    if anyio.current_effective_deadline() == -math.inf:
                        break  # our own bound
        if native:
            _cancel_again()
    return event.is_set()


def _is_native_cancellation() -> bool:
    """Tell a cancelled task from one in a cancelled anyio scope: only the latter is cancelled again by itself."""
    return anyio.current_effective_deadline() != -math.inf


def _cancel_again() -> None:
    task = asyncio.current_task()
    if task is not None:
        # Counted once again: whoever counts cancellations, as timeouts of asyncio do, must not find one more.
        task.uncancel()
        task.cancel()
