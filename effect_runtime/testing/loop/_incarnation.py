"""asyncio's loop interface over the sequencer, for one life of one process.

Dead, it takes nothing more, and what it has is skipped: a crash needs no cooperation. Paused, it keeps what would run
until it wakes. Its tasks are held until the checks are over and are then closed from the inside, the youngest first.
"""

from __future__ import annotations

from asyncio import Future, Task
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from inspect import CORO_CLOSED, CORO_CREATED, getcoroutinestate
from typing import Any, NoReturn, cast, final

from effect_runtime.testing.loop._ordered import forget, is_redelivery, unstarted
from effect_runtime.testing.loop._sequencer import FIBER, MAIN, Fiber, Handle, Life, Sequencer
from effect_runtime.testing.loop._strict import loop_refusal

_STUBBORN = 100
"""How often a coroutine that awaits while it is being closed is closed again."""


class _Over(BaseException):
    """Says to a coroutine that nobody will ever go on with it."""


@final
class Incarnation:
    """One life of one process, as an event loop."""

    def __init__(self, sequencer: Sequencer, process: str) -> None:
        self.process = process
        self.is_dead = False
        self.is_still = False
        self._aside: list[Handle] = []
        self._sequencer = sequencer
        self._tasks: dict[Task[Any], Context] = {}
        self._roles: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Incarnation of {self.process!r}>"

    # Scheduling.

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call a function as soon as the sequencer says."""
        if self.is_dead:
            return _never(self)
        if context is None:  # never `context or ...`: an empty one is falsy
            handle = Handle(callback, args, copy_context(), self)
            (self._sequencer.redeliveries if is_redelivery(callback) else self._sequencer.ready).append(handle)
            return handle
        handle = Handle(callback, args, context, self)
        self._sequencer.soon(handle)
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call a function at a moment of virtual time."""
        if self.is_dead:
            return _never(self)
        handle = Handle(callback, args, copy_context() if context is None else context, self, when)
        self._sequencer.later(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Call a function after some virtual time."""
        return self.call_at(self._sequencer.now + delay, callback, *args, context=context)

    def time(self) -> float:
        """Return the virtual time."""
        return self._sequencer.now

    def create_future(self) -> Future[Any]:
        """Return a future of this loop."""
        return Future(loop=cast("Any", self))

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **rest: Any
    ) -> Task[Any]:
        """Start a task in a context of its own."""
        context = self._inherited(name) if context is None else context
        # Named here: asyncio's own names count over the whole process.
        task: Task[Any] = Task(coro, loop=cast("Any", self), name=name or "task", context=context)
        self._tasks[task] = context
        return task

    def _inherited(self, name: str | None) -> Context:
        """Return a task's context: its starter's, and a fiber of its own where the process itself started it."""
        context = copy_context()
        starter = context.get(FIBER)
        if starter is not None and starter.name == MAIN and name is not None:
            role = name.split(".")[-2:][0].lower()
            self._roles[role] = number = self._roles.get(role, 0) + 1
            context.run(FIBER.set, Fiber(self.process, role if number == 1 else f"{role}-{number}"))
        return context

    @property
    def waiting(self) -> tuple[Task[Any], ...]:
        """Return its tasks that have not ended, in the order of their beginning."""
        return tuple(task for task in self._tasks if not task.done())

    @property
    def unended(self) -> tuple[tuple[Task[Any], Context], ...]:
        """Return its tasks that have not ended, each with its context."""
        return tuple((task, context) for task, context in self._tasks.items() if not task.done())

    # What asyncio asks of a loop.

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def is_running(self) -> bool:
        """Tell whether it is alive."""
        return not self.is_dead

    def is_closed(self) -> bool:
        """Return False: a dead loop takes calls, and forgets them."""
        return False

    def get_task_factory(self) -> None:
        """Return nothing."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught; a run with such trouble has failed."""
        error = context.get("exception")
        if error is not None and not self.is_dead:
            self._sequencer.troubles.append(error)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Refuse: there are no threads in a run."""
        raise loop_refusal("call_soon_threadsafe")

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse everything else that a loop can do: sockets, subprocesses, signals, executors."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise loop_refusal(name)

    # Standing still.

    def put_aside(self, handle: Handle) -> None:
        """Keep a handle until it wakes; drop it when it is dead."""
        if not self.is_dead:
            self._aside.append(handle)

    def pause(self) -> None:
        """Run nothing, from the next handle on; timers that come due are put aside with the rest."""
        self.is_still = True

    def wake(self) -> None:
        """Go on with everything that was put aside, in its order."""
        if not self.is_dead:
            self.is_still = False
            self._sequencer.ready.extend(self._aside)
            self._aside.clear()

    def die(self) -> None:
        """Take nothing more, and run nothing of what it has."""
        self.is_dead = self.is_still = True
        self._aside.clear()

    # The end.

    def dispose(self) -> None:
        """Close whatever still waits, silently. Call it when nobody looks at the run any more."""
        self.die()
        for task in reversed(self._tasks):
            if not task.done():
                _close(self, task, self._tasks[task])
            forget(task)
        self._tasks.clear()


def _never(life: Life) -> Handle:
    handle = Handle(None, (), copy_context(), life)
    handle.is_cancelled = True
    return handle


def _close(loop: Incarnation, task: Task[Any], context: Context) -> None:
    """Close a task's coroutine as if the task itself did: it may look who it is."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # of CPython's tasks; typeshed has it not
    coroutine = task.get_coro()
    if coroutine is None:
        return
    _enter_task(cast("Any", loop), task)
    try:
        context.run(_closed, coroutine)
    finally:
        _leave_task(cast("Any", loop), task)


def _closed(coroutine: Any) -> None:
    close: Callable[[], None] = coroutine.close
    if getcoroutinestate(coroutine) == CORO_CREATED:
        inner = unstarted(coroutine)
        if inner is not None:
            inner.close()
    else:
        # Before 3.13 `close` does not reach into an async generator that is being entered; what is thrown does.
        with suppress(BaseException):
            coroutine.throw(_Over())
    for _ in range(_STUBBORN):
        with suppress(BaseException):  # whatever it says of its end: it ended long ago
            close()
        if getcoroutinestate(coroutine) == CORO_CLOSED:
            return
