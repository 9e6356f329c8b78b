"""The run loop: the only place where a program moves.

It evaluates one instruction at a time and hands the outcome to the innermost block or frame on an explicit stack.
What each rarer instruction means is in the tables of `_frames` and `_parallel`; this module knows the frequent ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import GeneratorType
from typing import Any, final

from returns.result import Failure, Success

from effect_runtime.effect import (
    Ask,
    Attempt,
    Bind,
    Block,
    Caught,
    Eff,
    ExitOf,
    Fail,
    Fold,
    Map,
    Operation,
    Pure,
    Raised,
)
from effect_runtime.errors import NotAnEffect, RunningWarning
from effect_runtime.interpreter import _cancellation
from effect_runtime.interpreter._chain import fold
from effect_runtime.interpreter._strand import Effect, Enter, Strand
from effect_runtime.interpreter._traceback import without_this_frame

# A generator on the stack is a block; all else on it is a frame, waiting for the outcome of its source: an
# instruction itself, or an object of `_frames`. The stack is explicit, so that a million binds need no recursion;
# do-blocks delegate natively all the same, because CPython is faster at that than any loop written in Python.
_OWN_FRAMES = frozenset({Attempt, Bind, Caught, ExitOf, Fold, Map})
"""Instructions that are their own frame: they hold a source and no state."""


@final
class Confirm(Eff[Any, Any, Any]):
    """Believe what a block says after a cancellation was thrown into it only if the cancellation is over."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error


@final
class Thrown(Eff[Any, Any, Any]):
    """Hand an error to the stack.

    What goes wrong in the interpreter is handed on like this rather than raised where that is possible: a frame that
    held the error and stood in its traceback would be a cycle. For the same reason the error is taken out, once.
    """

    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error

    def take(self) -> BaseException:
        """Return the error, once."""
        error, self._error = self._error, None
        assert error is not None
        return error


# This is one long function because a Python call for each instruction is more than the hot path can afford. Kinds are
# compared by identity and in the order of how often they come up, so a subclass, such as a dispatched `Call`, goes by
# the tables. Only where something lies around adapters may an operation's answer be an effect that is run: a stub
# gives one. A block that is new is sent None, like any other value. What was raised, by a block, an adapter or a
# frame, goes on as data (`Thrown`), because whoever may answer it stands on our stack and not on Python's; a value
# leaves by way of the strand, because a traceback may keep this frame and all its locals. A block that ends with a
# value after it was thrown a cancellation may have swallowed it: `Confirm` looks.
async def unfold(strand: Strand, eff: Any) -> Any:
    """Run `eff` on `strand` and return its value, or raise `Raised`, the defect or the cancellation."""
    stack, perform, watch = strand.stack, strand.machine.perform, strand.machine.watch
    send: Any = None  # How the innermost block goes on, if it is a block that is innermost; `None` means: look.
    while True:
        try:
            while True:
                kind = type(eff)
                if kind is Operation:
                    if perform is not None:
                        value = await perform(eff, strand.runtime)
                    elif eff.kwargs:
                        value = await eff.method.function(*eff.call, **eff.kwargs)
                    else:
                        value = await eff.method.function(*eff.call)
                    answer = type(value)
                    if answer is Success:
                        value = value._inner_value
                    elif answer is Failure or (perform is not None and isinstance(value, Eff)):
                        send, eff = None, _continuation(strand, value)
                        continue
                elif kind is Ask:
                    value = strand.runtime
                elif kind is Pure:
                    value = eff.value
                elif kind is Block:
                    program = eff.function(*eff.arguments, **eff.keywords)
                    if type(program) is not GeneratorType:
                        eff = program
                        continue
                    stack.append(program)
                    send, value = program.send if watch is None else watch(program.send), None
                elif kind in _OWN_FRAMES:
                    stack.append(eff)
                    if len(stack) > strand.fold_at:
                        fold(strand)
                    send, eff = None, eff.source
                    continue
                else:
                    send = None
                    turn = _TURNS.get(kind)
                    eff = turn(strand, eff) if turn is not None else await _enter(strand, kind)(strand, eff)
                    continue
                # The value goes to the innermost block or frame, until one of them names the next instruction.
                while True:
                    if send is None:
                        if not stack:
                            strand.said, eff, value = value, None, None
                            return strand.told() if not strand.insisted else await _arrived(strand)
                        top = stack[-1]
                        if type(top) is not GeneratorType:
                            eff = strand.machine.resume[type(top)](strand, stack.pop(), value)
                            break
                        send = top.send if watch is None else watch(top.send)
                    try:
                        eff = send(value)
                        break
                    except StopIteration as stop:
                        stack.pop()
                        send, value = None, stop.value
                    if strand.suspect is not None:
                        eff = Confirm(value)
                        break
        except BaseException as caught:
            if not stack:
                eff = value = strand.suspect = None  # This frame is in the traceback: what it held would be a cycle.
                if strand.insisted:
                    await _cancellation.arrived(caught)
                raise
            eff = Thrown(caught)


async def _arrived(strand: Strand) -> Any:
    await _cancellation.arrived(None)
    return strand.told()


def _continuation(strand: Strand, answer: Any) -> Effect:
    """Return what an operation goes on with: what answers its failure, or the effect that it answered with."""
    return _answer(strand, answer._inner_value) if type(answer) is Failure else answer


def _answer(strand: Strand, error: Any) -> Effect:
    """Hand a failure that no block has seen to the frames above it; only a block needs it as a signal."""
    stack = strand.stack
    # Raising and catching a signal is most of what a caught failure costs, so none is raised where only frames would
    # see it.
    while stack:
        top = stack[-1]
        kind = type(top)
        if kind is Caught:
            stack.pop()
            if isinstance(error, top.kind):
                return top.handler(error)  # type: ignore[no-any-return]  # edge: checked when it is evaluated
        elif kind is Fold:
            stack.pop()
            return top.failed(error)  # type: ignore[no-any-return]  # edge: checked when it is evaluated
        elif kind is Bind or kind is Map:
            stack.pop()
        else:
            break
    return _unwind(strand, Thrown(Raised(error)))


def _unwind(strand: Strand, thrown: Thrown) -> Effect:
    """Hand an error to blocks and frames, innermost first, until one names the next instruction; else raise it."""
    stack = strand.stack
    # All in one function: `without_this_frame` takes exactly one frame out of a traceback, and this is the one.
    error = thrown.take()
    try:
        if not isinstance(error, (Raised, Exception)) and _cancellation.is_cancellation(error):
            _suspect(strand, error)
        while stack:
            top = stack[-1]
            if top.__class__ is not GeneratorType:
                stack.pop()
                unwind = strand.machine.unwind.get(top.__class__)
                if unwind is not None:
                    strand.said = unwind(strand, top, error)
                    if strand.said is not None:
                        return strand.told()  # type: ignore[no-any-return]  # edge: checked when it is evaluated
                continue
            if top.gi_frame is not None:  # It is still alive: the error did not come from itself.
                try:
                    eff = top.throw(error)
                    # It yielded instead of ending: there is something to do in its `finally`.
                    if strand.suspect is error:
                        _go_on_cancelled(strand, error, eff)
                    return eff  # type: ignore[no-any-return]  # edge: checked when it is evaluated
                except StopIteration as stop:
                    stack.pop()
                    return Pure(stop.value) if strand.suspect is None else Confirm(stop.value)
                except BaseException as raised:
                    error = without_this_frame(raised)
            stack.pop()
            # Something else came out in place of the cancellation, which may still be pending: that is asked first.
            if strand.suspect is not None and not _cancellation.is_cancellation(error):
                return Confirm(None, error)
        raise error
    finally:
        del error  # Its traceback holds this frame: together they would be a cycle.


def _go_on_cancelled(strand: Strand, suspect: BaseException, eff: Effect) -> None:
    """Let an effect of an `except` or `finally` run under the pending cancellation, as awaits do there."""
    # asyncio delivers a `Task.cancel()` once, a cancel scope at every wait. Asked for again, both look alike to the
    # effect.
    strand.insisted = _cancellation.insist(suspect, strand.baseline)
    if strand.machine.debug and type(eff) is not Pure:
        warning = RunningWarning(
            strand.place(),
            "an effect runs while the program is being cancelled, so its first wait will cut it off.",
            "Close with acquire or ensure, or wrap it in uninterruptible.",
        )
        warnings.warn(warning, stacklevel=2)


def _suspect(strand: Strand, error: BaseException) -> None:
    if strand.suspect is None:
        strand.baseline = _cancellation.baseline()
    if error is not strand.suspect:
        strand.insisted = False  # What was asked for again has arrived.
    strand.suspect = error


_TURNS: Mapping[type[Any], Callable[[Strand, Any], Effect]] = {
    Fail: lambda strand, eff: _answer(strand, eff.error),
    Thrown: _unwind,
}
"""Instructions that turn the stack around and never wait."""


def _enter(strand: Strand, kind: type[Any]) -> Enter:
    """Find the meaning of an instruction, or of the nearest class that it derives from."""
    table = strand.machine.enter
    enter = table.get(kind)
    if enter is not None:
        return enter
    for ancestor in kind.__mro__:
        if ancestor in table:
            return table[ancestor]
    return _refuse


async def _refuse(strand: Strand, value: object) -> Effect:
    raise NotAnEffect(value, strand.place())


async def enter_confirm(strand: Strand, eff: Confirm) -> Effect:
    """Look whether the cancellation is over, then go on with what the block said."""
    suspect, strand.suspect = strand.suspect, None
    if suspect is not None:
        try:
            await _cancellation.confirm(suspect, strand.baseline)
        except BaseException:
            if isinstance(eff.error, Exception):
                strand.defects.append(eff.error)  # It gives way to the cancellation, and is told if that ends inside.
            raise
    if eff.error is not None:
        return Thrown(eff.error)
    return Pure(eff.value)
