"""What the combinators over several programs mean: each program runs in a child task, by the same loop.

Children catch their own outcome, so the task group never sees one and no group of failures is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, final

import anyio
from anyio import TaskHandle
from anyio.abc import TaskGroup

from effect_runtime.effect import (
    Cancel,
    Cancelled,
    Died,
    Failed,
    Fiber,
    ForEach,
    Fork,
    Gather,
    Join,
    Pure,
    Race,
    Raised,
    Validate,
)
from effect_runtime.errors import FiberCancelled, ForkOutsideScope, Suspended
from effect_runtime.interpreter._loop import Thrown
from effect_runtime.interpreter._outcome import worst
from effect_runtime.interpreter._strand import Effect, Enter, Scope, Strand
from effect_runtime.interpreter._traceback import without_this_frame

STOPS = (KeyboardInterrupt, SystemExit)
"""What asks the whole process to stop: kept by a child task like a defect, so that no task group wraps it."""

_PENDING: Any = object()
"""Stands where a branch has no outcome: it was cancelled, or never started."""


@final
class _Branches:
    """The outcomes of programs that run together: a value or an error each, by index."""

    __slots__ = ("errors", "group", "hurry", "values")

    def __init__(self, count: int, group: TaskGroup, hurry: Callable[[BaseException | None], bool]) -> None:
        self.values: list[Any] = [_PENDING] * count
        self.errors: dict[int, BaseException] = {}
        self.group = group
        self.hurry = hurry

    async def run(self, strand: Strand, index: int, effect: Effect) -> None:
        """Run one program and keep its outcome; cancel the others if this one decides."""
        try:
            try:
                self.values[index] = await strand.machine.unfold(strand, effect)
            # All but a cancellation: the scope that asked for it must see it come back.
            except (Raised, Exception, *STOPS) as error:
                self.errors[index] = without_this_frame(error)
            if self.hurry(self.errors.get(index)):
                self.group.cancel_scope.cancel()
        except BaseException:
            # This branch was cancelled, and a finalizer of it broke: nobody is left in it to say so.
            broken = worst(strand.defects)
            if broken is not None:
                self.errors[index] = broken
            raise
        finally:
            del self  # From Python 3.12 on a traceback keeps this frame, too: with the errors it would be a cycle.

    def ordered_errors(self) -> list[BaseException]:
        """Return what went wrong, lowest index first."""
        return [self.errors[index] for index in sorted(self.errors)]


def _any_error(error: BaseException | None) -> bool:
    return error is not None


def _a_defect(error: BaseException | None) -> bool:
    return error is not None and not isinstance(error, Raised)


def _value_or_defect(error: BaseException | None) -> bool:
    return not isinstance(error, Raised)


async def _together(
    strand: Strand, effects: Sequence[Effect], hurry: Callable[[BaseException | None], bool]
) -> _Branches:
    """Run all effects at once, each in a task, until all ended or one decided."""
    _need_loop(strand)
    group = anyio.create_task_group()
    branches = _Branches(len(effects), group, hurry)
    async with group:
        for index, effect in enumerate(effects):
            group.start_soon(branches.run, strand.branch(strand.runtime), index, effect)
    return branches


async def _gather(strand: Strand, eff: Gather) -> Effect:
    if not eff.sources:
        return Pure(())
    return _all_values(await _together(strand, eff.sources, _any_error))


def _all_values(branches: _Branches) -> Effect:
    error = worst(branches.ordered_errors())
    if error is not None:
        return Thrown(error)
    if any(value is _PENDING for value in branches.values):
        raise FiberCancelled
    return Pure(tuple(branches.values))


async def _validate(strand: Strand, eff: Validate) -> Effect:
    if not eff.sources:
        return Pure(())
    branches = await _together(strand, eff.sources, _a_defect)
    errors = branches.ordered_errors()
    failures = tuple(error.error for error in errors if isinstance(error, Raised))
    if errors and len(failures) == len(errors):
        return Thrown(Raised(failures).with_traceback(errors[0].__traceback__))
    return _all_values(branches)


async def _race(strand: Strand, eff: Race) -> Effect:
    branches = await _together(strand, eff.sources, _value_or_defect)
    defects = [error for error in branches.ordered_errors() if not isinstance(error, Raised)]
    won = [value for value in branches.values if value is not _PENDING]
    # Two may end before the others are stopped: a bug is told even then.
    if won and not defects:
        return Pure(won[0])
    return _all_values(branches)


async def _for_each(strand: Strand, eff: ForEach) -> Effect:
    if eff.limit == 1 or len(eff.items) < 2:
        strand.stack.append(_one_by_one(eff))
        return Pure(None)
    _need_loop(strand)
    pending = enumerate(eff.items)
    group = anyio.create_task_group()
    branches = _Branches(len(eff.items), group, _any_error)
    async with group:
        # Workers that share an iterator, not a task for each item: a task costs thirty times an operation.
        for _ in range(min(eff.limit, len(eff.items))):
            group.start_soon(_work, strand, branches, pending, eff)
    return _all_values(branches)


async def _work(strand: Strand, branches: _Branches, pending: Iterator[tuple[int, Any]], eff: ForEach) -> None:
    """Take items from the shared iterator until none is left or something went wrong."""
    try:
        for index, item in pending:
            try:
                effect = eff.function(item)
            except (Exception, *STOPS) as defect:
                branches.errors[index] = defect
                branches.group.cancel_scope.cancel()
            else:
                await branches.run(strand.branch(strand.runtime), index, effect)
            if branches.errors:
                return
    finally:
        del branches  # As in `_Branches.run`.


def _one_by_one(eff: ForEach) -> Generator[Effect, Any, tuple[Any, ...]]:
    values: list[Any] = []
    for item in eff.items:
        values.append((yield eff.function(item)))
    return tuple(values)


@final
class _RunningFiber(Fiber[Any, Any]):
    """A fork that runs in the task group of its scope, which forgets it once there is nothing left to tell."""

    __slots__ = ("exit", "joined", "scope", "task", "traceback", "value")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.value: Any = _PENDING
        self.exit: Failed[Any] | Died | Cancelled | None = None
        self.joined = False
        self.task: TaskHandle[None] | None = None
        self.traceback: TracebackType | None = None

    async def run(self, strand: Strand, effect: Effect) -> None:
        """Run the program in a task of its own and keep its exit."""
        try:
            self.value = await strand.machine.unfold(strand, effect)
        except Raised as signal:
            self.exit = Failed(signal.error)
            self.traceback = without_this_frame(signal).__traceback__
        except (Exception, *STOPS) as defect:
            self._die(without_this_frame(defect))
        except BaseException:
            self.exit = Cancelled()
            broken = worst(strand.defects)
            if broken is not None:
                self._die(broken)
            raise
        finally:
            if self.exit is None or isinstance(self.exit, Cancelled):
                # With a value, or cancelled, it has nothing to tell when the scope ends. A failure stays there until
                # it is joined.
                self.scope.fibers.pop(self, None)
            del self  # From Python 3.12 on a traceback keeps this frame, too: with the exit it would be a cycle.

    def _die(self, defect: BaseException) -> None:
        self.exit = Died(defect)
        assert self.scope.task_group is not None
        self.scope.task_group.cancel_scope.cancel()

    def is_running(self) -> bool:
        """Say whether the program has not ended yet."""
        return self.value is _PENDING and self.exit is None

    async def wait(self) -> None:
        """Wait until the program ended."""
        if self.is_running():
            assert self.task is not None
            await self.task.wait()
        if self.is_running():
            self.exit = Cancelled()  # Its task was cancelled before the first step: nothing of it ran.
        self.joined = True


async def _fork(strand: Strand, eff: Fork) -> Effect:
    _need_loop(strand)
    scope = strand.scope
    if scope is None or scope.task_group is None:
        raise ForkOutsideScope
    fiber = _RunningFiber(scope)
    scope.fibers[fiber] = None
    fiber.task = scope.task_group.create_task(fiber.run(strand.branch(strand.runtime), eff.source))
    return Pure(fiber)


async def _join(strand: Strand, eff: Join) -> Effect:
    fiber = eff.fiber
    assert isinstance(fiber, _RunningFiber)
    if fiber.value is _PENDING:
        await fiber.wait()
    match fiber.exit:
        case None:
            return Pure(fiber.value)
        case Failed(error):
            fiber.scope.fibers.pop(fiber, None)
            return Thrown(Raised(error).with_traceback(fiber.traceback))
        case Died(defect):
            return Thrown(defect)
        case Cancelled():
            raise FiberCancelled


async def _cancel(strand: Strand, eff: Cancel) -> Effect:
    fiber = eff.fiber
    assert isinstance(fiber, _RunningFiber)
    if fiber.is_running():
        assert fiber.task is not None
        fiber.task.cancel()
    await fiber.wait()
    return Pure(None)


def _need_loop(strand: Strand) -> None:
    if strand.loopless:
        raise Suspended(strand.place())


ENTER: Mapping[type[Any], Enter] = {
    Gather: _gather,
    Validate: _validate,
    Race: _race,
    ForEach: _for_each,
    Fork: _fork,
    Join: _join,
    Cancel: _cancel,
}
