"""Interpreters and combinators with one fault each, made by swapping entries of their tables: nothing is patched."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from effect_runtime.effect import (
    Acquire,
    Attempt,
    Bind,
    Cancelled,
    Caught,
    Eff,
    ExitOf,
    Failed,
    Fold,
    Local,
    Map,
    Pure,
    Raised,
    Repeat,
    Retry,
    Uninterruptible,
    do,
    gather,
    join,
    race,
    repeat,
    retry,
)
from effect_runtime.interpreter import Host, Interpreter
from effect_runtime.interpreter import _frames as frames
from effect_runtime.interpreter._loop import unfold
from effect_runtime.interpreter._strand import Finalizer, Machine, ScopeFrame, Strand
from tests.laws.programs import REAL, Kit, Program
from tests.laws.sides import always, exit_then
from tests.laws.world import Here, Slip, StillTime, Way

Table = Mapping[type[Any], Any]


@frozen
class Mutant:
    """One fault: combinators that are replaced, or entries of the tables that give instructions their meaning.

    `killer` names the law of ours that tells it; `seen_by_returns` says whether the laws of `returns` do, too.
    """

    name: str
    killer: str
    kit: Kit = REAL
    enter: Table = field(factory=dict, kw_only=True)
    resume: Table = field(factory=dict, kw_only=True)
    unwind: Table = field(factory=dict, kw_only=True)
    seen_by_returns: bool = field(default=False, kw_only=True)

    def way(self) -> Way:
        """Return how programs are run by the real loop with the swapped entries."""
        real: Machine = Interpreter(host=Host(time=StillTime(), blocking=Here()))._machine
        parts: dict[str, Any] = {name: getattr(real, name) for name in Machine.__slots__}
        for table in ("enter", "resume", "unwind"):
            parts[table] = {**parts[table], **getattr(self, table)}
        machine = Machine(**parts)

        async def run(eff: Program, runtime: Any) -> Any:
            return await unfold(Strand(machine, runtime), eff)

        return run


async def _source(strand: Strand, eff: Any) -> Program:
    """Enter an instruction as if it were its source alone."""
    source: Program = eff.source
    return source


async def _forgetful(strand: Strand, eff: Retry) -> Program:
    """Try again, and forget the tries before the last."""
    errors = tuple(eff.schedule.errors)

    def again(left: int) -> Program:
        def failed(error: Any) -> Program:
            return again(left - 1) if left and (not errors or isinstance(error, errors)) else Eff.from_failure(error)

        return Fold(eff.source, Pure, failed)

    return again(eff.schedule.limit or 0)


def _started_once(function: Callable[..., Any]) -> Callable[..., Program]:
    """Make a block that keeps a started generator, not a function."""

    def build(*arguments: Any) -> Program:
        running: Generator[Any, Any, Any] = function(*arguments)
        return do(lambda: running)()

    return build


def _in_order(frame: ScopeFrame) -> ScopeFrame:
    frame.scope.finalizers.reverse()
    return frame


def _forgotten_when_cancelled(strand: Strand, frame: ScopeFrame, error: BaseException) -> Program:
    if not isinstance(error, (Raised, Exception)):
        frame.scope.finalizers.clear()
    answer = frames.UNWIND[ScopeFrame](strand, frame, error)
    assert answer is not None
    return answer


def _finalizer_twice(strand: Strand, frame: Any, value: Any) -> Program:
    leave = frames.RESUME[frames._EnsureFrame](strand, frame, value)
    return Bind(frame.finalizer.effect, always(leave))


def _closed_elsewhere(strand: Strand, frame: Any, value: Any) -> Program:
    """Keep the runtime of the scope, not that of the opening, for the closing."""
    outer = next((each.outer for each in strand.stack if isinstance(each, frames._RuntimeFrame)), strand.runtime)
    closing = Finalizer(frame.eff.close(value), outer, frame.eff.within)
    strand.enclosing_scope().finalizers.append(closing)
    return Pure(value)


def _unless_failed(strand: Strand, frame: Any, error: BaseException) -> Program | None:
    return None if isinstance(error, Raised) else frames.UNWIND[frames._EnsureFrame](strand, frame, error)


def _swallowing(strand: Strand, frame: ExitOf, error: BaseException) -> Program | None:
    if isinstance(error, (Raised, Exception)):
        return frames.UNWIND[ExitOf](strand, frame, error)
    return Pure(Cancelled())


def _attempting_defects(strand: Strand, frame: Attempt, error: BaseException) -> Program | None:
    if isinstance(error, Exception):
        return Pure(Failed(Slip(0)))
    return frames.UNWIND[Attempt](strand, frame, error)


def _catching_defects(strand: Strand, frame: Caught, error: BaseException) -> Program | None:
    if isinstance(error, Exception):
        answer: Program = frame.handler(Slip(0))
        return answer
    return frames.UNWIND[Caught](strand, frame, error)


def _failing_last(*programs: Program) -> Program:
    return Map(gather(*reversed(programs)), lambda values: tuple(reversed(values)))


def _with(**combinators: Any) -> Kit:
    return evolve(REAL, **combinators)


_ENSURE = frames._EnsureFrame
_RUNTIME = frames._RuntimeFrame

MUTANTS: tuple[Mutant, ...] = (
    Mutant("map runs its source twice", "map identity", _with(map=lambda p, f: Map(Bind(p, always(p)), f))),
    Mutant(
        "map calls its function twice",
        "functions are called once",
        _with(map=lambda p, f: Map(p, lambda v: (f(v), f(v))[1])),
    ),
    Mutant("bind runs its source twice", "bind right identity", _with(bind=lambda p, f: Bind(Bind(p, always(p)), f))),
    Mutant(
        "apply runs its argument first", "apply runs self first", _with(apply=lambda p, q: Bind(q, lambda f: Map(p, f)))
    ),
    Mutant(
        "zip runs the other first",
        "zip runs self first",
        _with(zip=lambda p, q: Bind(q, lambda b: Map(p, lambda a: (a, b)))),
    ),
    Mutant("then forgets the first", "then drops the value", _with(then=lambda p, q: q)),
    Mutant("tap yields what it ran", "tap keeps the value", _with(tap=Bind)),
    Mutant("lash answers values", "lash leaves values", _with(lash=lambda p, f: Fold(p, f, f)), seen_by_returns=True),
    Mutant(
        "alt makes a value of the failure",
        "alt is a lash",
        _with(alt=lambda p, f: Fold(p, Pure, lambda e: Pure(f(e)))),
        seen_by_returns=True,
    ),
    Mutant(
        "swap turns failures only",
        "swap turns a value",
        _with(swap=lambda p: Fold(p, Pure, Pure)),
        seen_by_returns=True,
    ),
    Mutant(
        "or_else runs the fallback always",
        "or_else takes every failure",
        _with(or_else=lambda p, q: Bind(REAL.attempt(p), always(q))),
    ),
    Mutant(
        "catch answers every kind", "catch looks at the kind", _with(catch=lambda kind, f: lambda p: Fold(p, Pure, f))
    ),
    Mutant("catch answers defects", "catch looks at the kind", unwind={Caught: _catching_defects}),
    Mutant("attempt takes defects for failures", "attempt loses nothing", unwind={Attempt: _attempting_defects}),
    Mutant("exit_of swallows a cancellation", "nothing swallows a cancellation", unwind={ExitOf: _swallowing}),
    Mutant("ensure skips its finalizer on a failure", "ensure runs after any exit", unwind={_ENSURE: _unless_failed}),
    Mutant("ensure skips its finalizer on a cancellation", "what began is ended", _with(ensure=exit_then)),
    Mutant("ensure runs its finalizer twice", "what began is ended", resume={_ENSURE: _finalizer_twice}),
    Mutant(
        "finalizers run in order",
        "acquire closes in reverse",
        resume={ScopeFrame: lambda strand, frame, value: frames.RESUME[ScopeFrame](strand, _in_order(frame), value)},
        unwind={ScopeFrame: lambda strand, frame, error: frames.UNWIND[ScopeFrame](strand, _in_order(frame), error)},
    ),
    Mutant("a resource is never closed", "acquire closes in reverse", enter={Acquire: _source}),
    Mutant(
        "a resource stays open when cancelled", "what began is ended", unwind={ScopeFrame: _forgotten_when_cancelled}
    ),
    Mutant(
        "a resource closes under another runtime",
        "acquire closes in reverse",
        resume={frames._OpenFrame: _closed_elsewhere},
    ),
    Mutant("uninterruptible does not shield", "uninterruptible runs to its end", enter={Uninterruptible: _source}),
    Mutant("local drops the environment", "local is seen inside", enter={Local: _source}),
    Mutant(
        "local is never put back",
        "local ends with its program",
        resume={_RUNTIME: lambda strand, frame, value: Pure(value)},
    ),
    Mutant("local is not put back after a failure", "local ends with its program", unwind={_RUNTIME: lambda *_: None}),
    Mutant("provide drops the environment", "local is seen inside", _with(provide=lambda runtime: lambda p: p)),
    Mutant("defer builds at once", "defer builds when reached", _with(defer=lambda build: build())),
    Mutant("a block keeps a started generator", "an effect is a value", _with(do=_started_once)),
    Mutant("retry tries once more", "retry is trying again", _with(retry=lambda p, s: retry(p, s.times(s.limit + 1)))),
    Mutant("retry takes every failure", "retry is trying again", _with(retry=lambda p, s: retry(p, s.only()))),
    Mutant("retry forgets an error", "retry tells all tries", enter={Retry: _forgetful}),
    Mutant(
        "repeat stops early",
        "repeat is doing again",
        _with(repeat=lambda p, s: repeat(p, s.times(max(0, s.limit - 1)))),
    ),
    Mutant("repeat is once", "repeat is doing again", enter={Repeat: _source}),
    Mutant("gather keeps the last failure", "gather keeps order, and the first failure", _with(gather=_failing_last)),
    Mutant(
        "gather turns the order around",
        "gather keeps order, and the first failure",
        _with(gather=lambda *ps: Map(gather(*ps), lambda values: values[::-1])),
    ),
    Mutant(
        "validate keeps one failure",
        "validate keeps all failures",
        _with(validate=lambda *ps: gather(*ps).alt(lambda e: (e,))),
    ),
    Mutant("race takes the last value", "race takes the first value", _with(race=lambda *ps: race(*ps[::-1]))),
    Mutant(
        "for_each starts at the end",
        "for_each goes in order",
        _with(for_each=lambda items, f: REAL.for_each(tuple(items)[::-1], f)),
    ),
    Mutant(
        "join loses the failure", "join ends as the fork", _with(join=lambda fiber: join(fiber).lash(lambda _: Pure(0)))
    ),
    Mutant(
        "a value goes missing",
        "map identity",
        resume={Map: lambda strand, frame, value: Pure(None)},
        seen_by_returns=True,
    ),
    Mutant(
        "a failure runs the next step",
        "bind right identity",
        _with(bind=lambda p, f: Fold(p, f, f)),
        seen_by_returns=True,
    ),
)
"""Each is killed by the law it names, and most live on under the laws of `returns`."""
