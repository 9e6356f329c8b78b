"""Generated programs: trees over all combinators, built with whichever combinators they are given.

A tree is data that Hypothesis shrinks; `build` makes an effect of it. Every program yields an `int` and fails with
`Slip` or `Tear`. What runs at once is flat: it never waits, so that each engine shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import reduce
from typing import Any, TypeAlias

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from effect_runtime.effect import (
    Ask,
    Cancelled,
    Died,
    Eff,
    Exit,
    Failed,
    Schedule,
    Succeeded,
    acquire,
    attempt,
    catch,
    defer,
    die,
    do,
    ensure,
    exit_of,
    fail,
    for_each,
    fork,
    from_async,
    from_blocking,
    from_sync,
    gather,
    join,
    local,
    or_else,
    provide,
    race,
    recover,
    repeat,
    retry,
    scoped,
    succeed,
    timeout,
    uninterruptible,
    validate,
)
from tests.laws.world import Act, Env, Fault, Slip, Tear, perform

Program: TypeAlias = Eff[Any, Any, Any]
HOUR = timedelta(hours=1)
KINDS: Mapping[str, type[Any]] = {"slip": Slip, "tear": Tear}


@frozen
class Kit:
    """The combinators that programs and laws are built with; a mutant replaces some."""

    map: Any = Eff.map
    bind: Any = Eff.bind
    then: Any = Eff.then
    tap: Any = Eff.tap
    zip: Any = Eff.zip
    apply: Any = Eff.apply
    alt: Any = Eff.alt
    lash: Any = Eff.lash
    swap: Any = Eff.swap
    attempt: Any = field(default=attempt)
    exit_of: Any = field(default=exit_of)
    catch: Any = field(default=catch)
    recover: Any = field(default=recover)
    or_else: Any = field(default=or_else)
    ensure: Any = field(default=ensure)
    acquire: Any = field(default=acquire)
    scoped: Any = field(default=scoped)
    local: Any = field(default=local)
    provide: Any = field(default=provide)
    defer: Any = field(default=defer)
    do: Any = field(default=do)
    retry: Any = field(default=retry)
    repeat: Any = field(default=repeat)
    gather: Any = field(default=gather)
    validate: Any = field(default=validate)
    race: Any = field(default=race)
    for_each: Any = field(default=for_each)
    fork: Any = field(default=fork)
    join: Any = field(default=join)
    timeout: Any = field(default=timeout)
    uninterruptible: Any = field(default=uninterruptible)


REAL = Kit()


@frozen
class Tree:
    """A program as data: which combinator, over which programs, with which facts."""

    name: str
    programs: tuple[Tree, ...] = ()
    facts: tuple[Any, ...] = ()

    def build(self, kit: Kit) -> Program:
        """Return the effect."""
        program: Program = BUILD[self.name](kit, *(inner.build(kit) for inner in self.programs), *self.facts)
        return program


def said(name: str, value: object) -> Program:
    """Describe an operation that writes a value down."""
    return perform(Act(f"{name} {value!r}"))


def noted(name: str, then: Program) -> Callable[[Any], Program]:
    """Return a continuation that writes down what it was called with."""
    return lambda value: said(name, value).then(then)


def folded(values: Any) -> int:
    """Make one number of several, so that their order shows."""
    total: int = reduce(lambda total, value: (total * 7 + value) % 10_007, values, 1)
    return total


def number_of(exit: Exit[Any, Any]) -> int:
    """Make a number of an exit."""
    match exit:
        case Succeeded(value):
            return int(value)
        case Failed(error):
            return 1_000 + int(error.number)
        case Died():
            return 2_000
        case Cancelled():
            return 3_000


def moved(env: Env, token: str) -> Env:
    """Return the environment under another token."""
    return evolve(env, token=f"{env.token}+{token}")


def _swapped(kit: Kit, program: Program) -> Program:
    return kit.alt(kit.map(kit.swap(program), lambda error: error.number), Slip)  # type: ignore[no-any-return]  # a kit is untyped


def _provided(kit: Kit, program: Program, token: str) -> Program:
    return Ask[Any]().bind(lambda env: kit.provide(moved(env, token))(program))


def _together(combine: str) -> Callable[..., Program]:
    def build(kit: Kit, *programs: Program) -> Program:
        branches = [program.pipe(branch(index)) for index, program in enumerate(programs)]
        together: Program = getattr(kit, combine)(*branches)
        if combine == "race":
            return together
        if combine == "validate":
            together = together.alt(lambda errors: Slip(folded(error.number for error in errors)))
        return together.map(folded)

    return build


def branch(index: int) -> Callable[[Program], Program]:
    """Return what marks a program as one of several that run at once."""
    return lambda program: local(program, lambda env: evolve(env, token=f"{env.token}/{index}"))


def _forked(kit: Kit, behind: Program, meanwhile: Program) -> Program:
    away = behind.pipe(branch(0))
    here = kit.exit_of(meanwhile.pipe(branch(1))).map(number_of)  # it reaches the join, whatever it does
    return kit.scoped(kit.bind(kit.fork(away), lambda fiber: kit.bind(here, lambda _: kit.join(fiber))))  # type: ignore[no-any-return]  # a kit is untyped


def _lent(kit: Kit, opening: Program, closing: Program, use: Program) -> Program:
    opened = kit.acquire(opening, noted("close", closing))
    return kit.scoped(kit.bind(opened, noted("use", use)))  # type: ignore[no-any-return]  # a kit is untyped


def _finally(kit: Kit, first: Program, second: Program) -> Program:
    @kit.do  # type: ignore[untyped-decorator]  # a kit is untyped
    def block() -> Any:
        env = yield from Ask[Any]()
        try:
            value = yield from first
            return value + (yield from second)
        finally:
            env.desk.journal.append(("left the block", env.token))

    return block()  # type: ignore[no-any-return]  # a kit is untyped


def _careless(kit: Kit, first: Program, second: Program, wide: bool) -> Program:
    caught: type[BaseException] = BaseException if wide else Exception

    @kit.do  # type: ignore[untyped-decorator]  # a kit is untyped
    def block() -> Any:
        try:
            value = yield from first
        except caught:
            return -1
        return value + (yield from second)

    return block()  # type: ignore[no-any-return]  # a kit is untyped


def _broken(number: int) -> int:
    raise Fault(f"broken {number}")


async def _later(number: int) -> int:
    return number


BUILD: Mapping[str, Callable[..., Program]] = {
    "succeed": lambda kit, value: succeed(value),
    "fail": lambda kit, kind, number: fail(KINDS[kind](number)),
    "die": lambda kit, number: die(Fault(f"died {number}")),
    "act": lambda kit, act: perform(act),
    "broken": lambda kit, number: from_sync(_broken, number),
    "from_async": lambda kit, number: from_async(_later, number),
    "from_blocking": lambda kit, number: from_blocking(abs, number),
    "map": lambda kit, p, number: kit.map(p, lambda value: value * 3 + number),
    "bind": lambda kit, p, q: kit.bind(p, noted("bound", q)),
    "then": lambda kit, p, q: kit.then(p, q),
    "tap": lambda kit, p, q: kit.tap(p, noted("tapped", q)),
    "zip": lambda kit, p, q: kit.zip(p, q).map(folded),
    "apply": lambda kit, p, q: kit.apply(p, q.map(lambda right: lambda left: folded((left, right)))),
    "alt": lambda kit, p, number: kit.alt(p, lambda error: Tear(error.number + number)),
    "lash": lambda kit, p, q: kit.lash(p, noted("lashed", q)),
    "swap": _swapped,
    "catch": lambda kit, p, q, kind: Ask[Any]().bind(
        lambda env: p.pipe(kit.catch(KINDS[kind], lambda error: provide(env)(noted("caught", q)(error))))
    ),
    "attempt": lambda kit, p: kit.attempt(p).map(number_of),
    "exit_of": lambda kit, p: kit.exit_of(p).map(number_of),
    "recover": lambda kit, p, q: kit.recover(p, noted("recovered", q)),
    "or_else": lambda kit, p, q: kit.or_else(p, q),
    "ensure": lambda kit, p, q: kit.ensure(p, q),
    "acquire": lambda kit, p, q: kit.acquire(p, noted("close", q)),
    "scoped": lambda kit, p: kit.scoped(p),
    "lent": _lent,
    "local": lambda kit, p, token: kit.local(p, lambda env: moved(env, token)),
    "provide": _provided,
    "defer": lambda kit, p: kit.defer(lambda: p),
    "finally": _finally,
    "careless": _careless,
    "retry": lambda kit, p, limit, only: kit.retry(p, Schedule().times(limit).only(*(KINDS[kind] for kind in only))),
    "repeat": lambda kit, p, limit: kit.repeat(p, Schedule().times(limit)),
    "for_each": lambda kit, p, count: kit.for_each(range(count), lambda item: noted("item", p)(item)).map(folded),
    "gather": _together("gather"),
    "validate": _together("validate"),
    "race": _together("race"),
    "forked": _forked,
    "timeout": lambda kit, p: kit.timeout(p, HOUR),
    "uninterruptible": lambda kit, p: kit.uninterruptible(p),
}
"""How each kind of tree becomes a program."""

NUMBERS = st.integers(0, 9)
NAMES = st.sampled_from("abcdef")
KIND = st.sampled_from(sorted(KINDS))


def acts(waits: st.SearchStrategy[bool]) -> st.SearchStrategy[Tree]:
    """Return operations of every end; the same name may be called more than once."""
    ends: st.SearchStrategy[Any] = st.sampled_from(["value", "value", "value", "slip", "tear", "fault"])
    act = st.builds(Act, NAMES, ends, NUMBERS, waits, st.sampled_from([0, 0, 0, 1, 2]))
    return st.builds(lambda act: Tree("act", (), (act,)), act)


def _leaves(waits: st.SearchStrategy[bool]) -> st.SearchStrategy[Tree]:
    return st.one_of(
        acts(waits),
        _tree("succeed", 0, NUMBERS),
        _tree("fail", 0, KIND, NUMBERS),
        _tree("die", 0, NUMBERS),
        _tree("broken", 0, NUMBERS),
        _tree("from_async", 0, NUMBERS),
    )


def _tree(
    name: str, count: int, *facts: st.SearchStrategy[Any], of: st.SearchStrategy[Tree] | None = None
) -> st.SearchStrategy[Tree]:
    programs = st.tuples(*[of] * count) if of is not None else st.just(())
    return st.builds(Tree, st.just(name), programs, st.tuples(*facts))


def _sequential(inner: st.SearchStrategy[Tree]) -> list[st.SearchStrategy[Tree]]:
    """Return the combinators that start no task and open no scope."""
    two = ["bind", "then", "tap", "zip", "apply", "lash", "recover", "or_else", "ensure", "finally"]
    one = ["swap", "attempt", "exit_of", "defer"]
    return [
        *(_tree(name, 2, of=inner) for name in two),
        *(_tree(name, 1, of=inner) for name in one),
        _tree("map", 1, NUMBERS, of=inner),
        _tree("alt", 1, NUMBERS, of=inner),
        _tree("catch", 2, KIND, of=inner),
        _tree("local", 1, NAMES, of=inner),
        _tree("provide", 1, NAMES, of=inner),
        _tree("careless", 2, st.booleans(), of=inner),
        _tree("retry", 1, st.integers(0, 3), st.sampled_from([(), ("slip",), ("tear",), ("slip", "tear")]), of=inner),
        _tree("repeat", 1, st.integers(0, 2), of=inner),
        _tree("for_each", 1, st.integers(0, 3), of=inner),
    ]


def flat() -> st.SearchStrategy[Tree]:
    """Return programs that never wait: at once with others, each of them runs to its end on either engine."""
    return st.recursive(_leaves(st.just(False)), lambda inner: st.one_of(_sequential(inner)), max_leaves=4)


def _parallel() -> list[st.SearchStrategy[Tree]]:
    branches = st.lists(flat(), min_size=1, max_size=3).map(tuple)
    return [
        *(st.builds(Tree, st.just(name), branches) for name in ("gather", "validate", "race")),
        _tree("forked", 2, of=flat()),
    ]


def effects(*, loose: bool = True) -> st.SearchStrategy[Tree]:
    """Return programs over all combinators; `loose` ones may open what an outer scope closes."""

    def around(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.one_of(
            *_sequential(inner),
            *_parallel(),
            *(_tree(name, 1, of=inner) for name in ("scoped", "timeout", "uninterruptible")),
            _tree("lent", 3, of=inner),
            *([_tree("acquire", 2, of=inner)] if loose else []),
        )

    leaves = st.one_of(_leaves(st.booleans()), _tree("from_blocking", 0, NUMBERS))
    return st.recursive(leaves, around, max_leaves=8)
