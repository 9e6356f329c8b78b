"""Messages that handlers send to handlers of their own context, and `atomic`: steps of one unit of work.

Both are savepoints. Knows the unit that they are part of; opens none.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, cast, final

from typing_extensions import TypeVar

from effect_runtime.dispatch._enqueue import Enqueue
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._unit import Unit
from effect_runtime.effect import Call, Eff
from effect_runtime.errors import ForeignCall, WaitInsideUnit
from effect_runtime.interpreter import note, running_line

A = TypeVar("A")
E = TypeVar("E")
R = TypeVar("R")


@final
class Atomic:
    """Mark a `Call` as a savepoint around an effect, not a message for a handler."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "atomic"


ATOMIC: Final = Atomic()


def atomic(eff: Eff[A, E, R]) -> Eff[A, E, R]:
    """Describe running `eff` as one step: if it fails, what it wrote, emitted and published is undone.

    Plain `catch`, `attempt` and `retry` undo nothing. Refused outside a unit of work and inside a parallel branch.
    What a fork that is still running writes meanwhile is undone with it.
    """
    return cast("Eff[A, E, R]", Call(ATOMIC, eff, title="atomic"))


async def answer_nested(unit: Unit, call: Call, runtime: Any, *, refusals: Refusals) -> Any:
    """Dispatch a nested command, or run the effect of `atomic`, as a savepoint of the unit."""
    handler, message = call.handler, call.message
    if isinstance(handler, Enqueue):
        event, place = type(message).__qualname__, running_line() or "line unknown"
        raise WaitInsideUnit(event, unit=unit.title, place=place)
    if handler is ATOMIC:
        effect = cast("Eff[Any, Any, Any]", message)
        return await unit.within_savepoint("atomic(...)", lambda: unit.interpreter.interpret(effect, runtime))
    entry = unit.home.commands.get(handler)
    if entry is None:
        reason = "it is a query" if handler in unit.home.queries else "it belongs to another context"
        raise ForeignCall(call.title, unit=unit.title, reason=reason)
    # A name that is bound once: in a closure type checkers do not keep what the test above has shown.
    found = entry

    async def work() -> Any:
        policy = refusals.judged(found.handler, message, nested=True)
        if policy is not None:
            await refusals.authorise(policy, found, interpreter=unit.interpreter, runtime=runtime)
        return await noted(found.handler.title, unit.interpreter.interpret(found.handler.body(message), runtime))

    return await unit.within_savepoint(found.handler.title, work)


async def noted(title: str, work: Awaitable[Any]) -> Any:
    """Await `work`; a defect gets a note that names the handler."""
    try:
        return await work
    except Exception as defect:
        note(defect, f"in {title}")
        raise
