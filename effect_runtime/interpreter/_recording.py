"""A bounded record of the operations of one attempt, live: kept in case the attempt fails, dropped if it does not.

An interceptor fills it. Knows no form on disk, no message and no dead letter.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, final

from anyio import get_current_task
from attrs import frozen

from effect_runtime.effect import Cancelled, Exit, Failed, Operation, Raised
from effect_runtime.interpreter._cancellation import is_cancellation
from effect_runtime.interpreter._interceptors import exit_of_answer
from effect_runtime.interpreter._strand import Perform, Runtime

KEPT: Final = 200
"""How many operations are kept of one attempt: the first half and the last half."""

_HALF: Final = KEPT // 2
_UNANSWERED: Final = object()


@final
@frozen
class Defect:
    """What is kept of an exception: not the exception, whose traceback would keep the attempt alive."""

    type: type[BaseException]
    arguments: tuple[Any, ...]
    text: str


@final
class Performed:
    """One operation of an attempt: what was asked, in which branch, and how it ended, once it has.

    Holds the arguments and the answer themselves, so what a program changes afterwards is kept as changed.
    """

    __slots__ = ("answer", "branch", "operation", "runtime", "trouble")

    def __init__(self, operation: Operation, runtime: Runtime, branch: int) -> None:
        self.operation = operation
        self.runtime = runtime
        self.branch = branch
        self.answer: Any = _UNANSWERED
        self.trouble: Failed[Any] | Cancelled | Defect | None = None

    @property
    def ending(self) -> Exit[Any, Any] | Defect:
        """Return how it ended; `Cancelled` if it has not."""
        if self.trouble is not None:
            return self.trouble
        return Cancelled() if self.answer is _UNANSWERED else exit_of_answer(self.answer)

    @property
    def place(self) -> str:
        """Return the operation's name for people."""
        return self.operation.place(self.runtime)


@final
class Recording:
    """The operations of one attempt, in the order in which they began. Owned by whoever makes the attempt.

    Of more than `KEPT` the middle is dropped, and `cut` counts them. `has_begun` tells whether there was an attempt.
    """

    __slots__ = ("_begun", "_branches", "_first", "_last", "has_begun")

    def __init__(self) -> None:
        self.has_begun = False
        self._first: list[Performed] = []
        self._last: list[Performed] = []
        self._branches: dict[int, int] = {}
        self._begun = 0

    @property
    def entries(self) -> tuple[Performed, ...]:
        """Return what is kept; the dropped ones stood between the first half and the others."""
        oldest = self._begun % _HALF
        if self.cut:
            return (*self._first, *self._last[oldest:], *self._last[:oldest])
        return (*self._first, *self._last)

    @property
    def cut(self) -> int:
        """Return how many were dropped."""
        return self._begun - len(self._first) - len(self._last)

    def begin(self) -> None:
        """Say that an attempt is made now, and forget the one before: it was started over."""
        self.has_begun = True
        self._first.clear()
        self._last.clear()
        self._branches.clear()
        self._begun = 0

    def interceptor(self, perform: Perform) -> Perform:
        """Record every operation that comes by, with how it ends; change nothing."""

        async def recorded(operation: Operation, runtime: Runtime) -> Any:
            entry = self._entry(operation, runtime)
            try:
                answer = await perform(operation, runtime)
            except BaseException as error:
                entry.trouble = _trouble_of(error)
                raise
            entry.answer = answer
            return answer

        return recorded

    def _entry(self, operation: Operation, runtime: Runtime) -> Performed:
        branches = self._branches
        entry = Performed(operation, runtime, branches.setdefault(this_task(), len(branches)))
        number = self._begun
        self._begun = number + 1
        if number < _HALF:
            self._first.append(entry)
        elif number < KEPT:
            self._last.append(entry)
        else:
            # A ring: what is recorded costs the same however long the attempt lasts.
            self._last[number % _HALF] = entry
        return entry


def this_task() -> int:
    """Return what tells the running task from others, as anyio does, where asyncio runs it an eighth as long."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return get_current_task().id if task is None else id(task)


def _trouble_of(error: BaseException) -> Failed[Any] | Cancelled | Defect:
    match error:
        case Raised():
            return Failed(error.error)
        case _ if is_cancellation(error):
            return Cancelled()
        case _:
            return Defect(type(error), error.args, _text(error))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as refusal:
        return f"(its text raised {type(refusal).__name__})"
