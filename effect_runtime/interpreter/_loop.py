"""The run loop: the only place where a program moves.

It evaluates one instruction at a time and hands the outcome to the innermost block or frame on an explicit stack.
What each rarer instruction means is in the tables of `_frames` and `_parallel`; this module knows the frequent ones.
"""

from __future__ import annotations

from types import GeneratorType
from typing import Any, final

from returns.result import Failure, Success

from effect_runtime.effect import Ask, Attempt, Bind, Block, Caught, Eff, ExitOf, Fold, Map, Operation, Pure, Raised
from effect_runtime.errors import NotAnEffect
from effect_runtime.interpreter import _cancellation
from effect_runtime.interpreter._strand import Effect, Enter, Strand

_OWN_FRAMES = frozenset({Attempt, Bind, Caught, ExitOf, Fold, Map})
"""Instructions that are their own frame: they hold a source and no state."""


@final
class Confirm(Eff[Any, Any, Any]):
    """Believe what a block says after a cancellation was thrown into it only if the cancellation is over."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error


async def unfold(strand: Strand, effect: Effect) -> Any:
    """Run `effect` on `strand` and return its value, or raise `Raised`, the defect or the cancellation."""
    stack = strand.stack
    perform = strand.machine.perform
    resume = strand.machine.resume
    eff: Any = effect
    value: Any
    while True:
        try:
            if strand.error is not None:
                eff = _unwind(strand)
            while True:
                kind = eff.__class__
                if kind is Operation:
                    if perform is None:
                        value = await eff.function(*eff.call, **eff.kwargs)
                    else:
                        value = await perform(eff, strand.runtime)
                    answer = value.__class__
                    if answer is Success:
                        value = value._inner_value
                    elif answer is Failure:
                        raise Raised(value._inner_value)
                    elif perform is not None and isinstance(value, Eff):
                        eff = value
                        continue
                elif kind is Pure:
                    value = eff.value
                elif kind is Ask:
                    value = strand.runtime
                elif kind is Block:
                    eff = eff.function(*eff.arguments, **eff.keywords)
                    if eff.__class__ is not GeneratorType:
                        continue
                    stack.append(eff)
                    value = None
                elif kind in _OWN_FRAMES:
                    stack.append(eff)
                    eff = eff.source
                    continue
                else:
                    eff = await _enter(strand, kind)(strand, eff)
                    continue
                # The outcome goes to the innermost block or frame, until one of them names the next instruction.
                while stack:
                    top = stack[-1]
                    if top.__class__ is GeneratorType:
                        try:
                            eff = top.send(value)
                            break
                        except StopIteration as stop:
                            stack.pop()
                            value = stop.value
                        if strand.suspect is not None:
                            eff = Confirm(value)
                            break
                        continue
                    stack.pop()
                    if top.__class__ is Map:
                        value = top.function(value)
                    else:
                        eff = resume[top.__class__](strand, top, value)
                        break
                else:
                    return value
        except BaseException as caught:
            if not stack:
                raise
            strand.error = caught


def _unwind(strand: Strand) -> Effect:
    """Hand the error to blocks and frames, innermost first, until one names the next instruction; else raise it."""
    stack = strand.stack
    error, strand.error = strand.error, None
    assert error is not None
    try:
        if _cancellation.is_cancellation(error):
            _suspect(strand, error)
        while stack:
            top = stack[-1]
            if top.__class__ is not GeneratorType:
                stack.pop()
                unwind = strand.machine.unwind.get(top.__class__)
                answer = None if unwind is None else unwind(strand, top, error)
                if answer is not None:
                    return answer
                continue
            if top.gi_frame is not None:  # It is still alive: the error did not come from itself.
                try:
                    return top.throw(error)  # type: ignore[no-any-return]  # edge: checked when it is evaluated
                except StopIteration as stop:
                    stack.pop()
                    return Pure(stop.value) if strand.suspect is None else Confirm(stop.value)
                except BaseException as raised:
                    error = raised
            stack.pop()
            if strand.suspect is not None and not _cancellation.is_cancellation(error):
                return Confirm(None, error)
        raise error
    finally:
        del error  # Its traceback holds this frame: together they would be a cycle.


def _suspect(strand: Strand, error: BaseException) -> None:
    if strand.suspect is None:
        strand.baseline = _cancellation.baseline()
    strand.suspect = error


def _enter(strand: Strand, kind: type[Any]) -> Enter:
    """Find the meaning of an instruction, or of the nearest class that it derives from."""
    table = strand.machine.enter
    if kind in table:
        return table[kind]
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
        await _cancellation.confirm(suspect, strand.baseline)
    if eff.error is not None:
        raise eff.error
    return Pure(eff.value)
