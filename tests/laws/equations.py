"""Our laws, as data: what each is drawn from, and what it claims of any program.

Most say that two programs cannot be told apart by exit, operations, runtimes, finalizers and cancellation at any
await; the others say what one program shows. The left side is built with a kit, so that laws can be put to mutants;
the right side is spelled in the plainest instructions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from effect_runtime.effect import (
    Bind,
    ExitOf,
    Fail,
    Failed,
    Fold,
    Map,
    Pure,
    Schedule,
    Succeeded,
)
from tests.laws.programs import (
    HOUR,
    KIND,
    NUMBERS,
    Kit,
    Tree,
    effects,
    flat,
    folded,
    noted,
    said,
)
from tests.laws.sides import (
    Sides,
    acquired,
    all_tries_are_told,
    always,
    bind,
    blocks,
    calls_once,
    cancelled_at_every_await,
    caught,
    deferred,
    exit_then,
    grown,
    holds,
    items,
    local_composes,
    local_ends,
    local_is_seen,
    mild,
    nothing_swallows,
    one_by_one,
    raced,
    reraised,
    shown_again,
    tried,
    uninterrupted,
    validated,
)
from tests.laws.world import Slip, Way, watch

STRIKES = st.one_of(st.none(), st.integers(1, 6))


@frozen
class Law:
    """A claim about every way to run and every kit: it raises `Broken` where it does not hold."""

    name: str
    draws: tuple[st.SearchStrategy[Any], ...]
    claim: Callable[..., Awaitable[None]]


def equation(name: str, sides: Callable[..., Sides], *draws: st.SearchStrategy[Any], struck: bool = True) -> Law:
    """Return the law that two programs are one, also when a cancellation strikes."""

    async def claim(way: Way, kit: Kit, strike_at: int | None, *drawn: Any) -> None:
        left, right = sides(kit, *(each.build(kit) if isinstance(each, Tree) else each for each in drawn))
        seen = await watch(way, left, strike_at), await watch(way, right, strike_at)
        holds(seen[0] == seen[1], *seen)

    return Law(name, (STRIKES if struck else st.none(), *draws), claim)


def wrapped(name: str, *programs: Tree, facts: tuple[Any, ...] = ()) -> st.SearchStrategy[Tree]:
    """Return a combinator that waits for its first program."""
    return st.just(Tree(name, programs, facts))


NOTHING = Tree("succeed", (), (0,))
WRAPPERS = st.lists(
    st.one_of(
        *(wrapped(name) for name in ("attempt", "exit_of", "swap", "defer", "scoped", "timeout")),
        *(wrapped(name, NOTHING) for name in ("recover", "or_else", "lash", "ensure", "finally", "then", "zip", "tap")),
        *(wrapped("careless", NOTHING, facts=(wide,)) for wide in (True, False)),
        *(wrapped(name) for name in ("gather", "validate", "race")),
        wrapped("catch", NOTHING, facts=("slip",)),
        wrapped("retry", facts=(2, ())),
        wrapped("repeat", facts=(2,)),
    ),
    min_size=1,
    max_size=4,
)
P = effects()
TIGHT = effects(loose=False)
FLAT = flat()
KINDS_OF = st.sampled_from([(), ("slip",), ("tear",), ("slip", "tear")])

LAWS: tuple[Law, ...] = (
    equation("map identity", lambda kit, p: (kit.map(p, lambda value: value), p), P),
    equation(
        "map composition",
        lambda kit, p, a, b: (kit.map(kit.map(p, grown(a)), grown(b)), Map(p, lambda v: grown(b)(grown(a)(v)))),
        P,
        NUMBERS,
        NUMBERS,
    ),
    equation("bind left identity", lambda kit, v, p: (kit.bind(Pure(v), noted("f", p)), noted("f", p)(v)), NUMBERS, P),
    equation("bind right identity", lambda kit, p: (kit.bind(p, Pure), p), P),
    equation(
        "bind associativity",
        lambda kit, p, q, r: (
            kit.bind(kit.bind(p, noted("f", q)), noted("g", r)),
            Bind(p, lambda value: Bind(noted("f", q)(value), noted("g", r))),
        ),
        P,
        P,
        P,
    ),
    equation(
        "map is a bind", lambda kit, p, a: (kit.map(p, grown(a)), Bind(p, lambda v: Pure(grown(a)(v)))), P, NUMBERS
    ),
    equation(
        "apply runs self first",
        lambda kit, p, q: (
            kit.apply(p, Map(q, lambda right: lambda left: folded((left, right)))),
            Bind(p, lambda left: Map(q, lambda right: folded((left, right)))),
        ),
        P,
        P,
    ),
    equation("then drops the value", lambda kit, p, q: (kit.then(p, q), Bind(p, always(q))), P, P),
    equation(
        "zip runs self first",
        lambda kit, p, q: (kit.zip(p, q), Bind(p, lambda left: Map(q, lambda right: (left, right)))),
        P,
        P,
    ),
    equation(
        "tap keeps the value",
        lambda kit, p, q: (kit.tap(p, noted("t", q)), Bind(p, lambda v: Map(noted("t", q)(v), lambda _: v))),
        P,
        P,
    ),
    equation(
        "lash left identity",
        lambda kit, n, p: (kit.lash(Fail(Slip(n)), noted("l", p)), said("l", Slip(n)).then(p)),
        NUMBERS,
        P,
    ),
    equation("lash right identity", lambda kit, p: (kit.lash(p, Fail), p), P),
    equation("lash leaves values", lambda kit, v, p: (kit.lash(Pure(v), noted("l", p)), Pure(v)), NUMBERS, P),
    equation("alt is a lash", lambda kit, p: (kit.alt(p, str), Fold(p, Pure, lambda error: Fail(str(error)))), P),
    equation("swap twice is nothing", lambda kit, p: (kit.swap(kit.swap(p)), p), P),
    equation("swap turns a value", lambda kit, v: (kit.swap(Pure(v)), Fail(v)), NUMBERS),
    equation(
        "recover takes every failure",
        lambda kit, p, q: (kit.recover(p, noted("r", q)), Fold(p, Pure, noted("r", q))),
        P,
        P,
    ),
    equation("or_else takes every failure", lambda kit, p, q: (kit.or_else(p, q), Fold(p, Pure, always(q))), P, P),
    equation("catch looks at the kind", caught, P, KIND),
    equation("attempt loses nothing", lambda kit, p: (Bind(kit.attempt(p), reraised), p), P),
    equation(
        "attempt shows the outcome",
        lambda kit, p: (kit.attempt(p), Fold(p, lambda v: Pure(Succeeded(v)), lambda error: Pure(Failed(error)))),
        P,
    ),
    equation("exit_of loses nothing", lambda kit, p: (Bind(kit.exit_of(p), reraised), p), P),
    equation(
        "exit_of stops nothing",
        lambda kit, p: (kit.exit_of(p).map(type).map(lambda _: 0), Bind(ExitOf(p), always(Pure(0)))),
        P,
    ),
    equation(
        "ensure runs after any exit",
        lambda kit, p, q: (kit.ensure(p, mild(q)), exit_then(p, mild(q))),
        P,
        P,
        struck=False,
    ),
    equation("acquire closes in reverse", acquired, TIGHT, TIGHT, TIGHT),
    equation("scoped alone is nothing", lambda kit, p: (kit.scoped(p), p), TIGHT),
    equation("local is seen inside", local_is_seen, st.sampled_from("xyz")),
    equation("local ends with its program", local_ends, P, P),
    equation("local composes", local_composes, P),
    equation("defer builds when reached", deferred, P),
    equation("retry is trying again", tried, P, st.integers(0, 3), KINDS_OF),
    equation(
        "repeat is doing again",
        lambda kit, p, n: (kit.repeat(p, Schedule().times(n)), bind(p, *[always(p)] * n)),
        P,
        st.integers(0, 3),
    ),
    equation(
        "gather keeps order, and the first failure", lambda kit, p, q: (kit.gather(p, q), one_by_one(p, q)), FLAT, FLAT
    ),
    equation("validate keeps all failures", validated, FLAT, FLAT),
    equation("race takes the first value", raced, FLAT, FLAT),
    equation("for_each goes in order", items, P, st.integers(0, 3)),
    equation("join ends as the fork", lambda kit, p: (kit.scoped(Bind(kit.fork(p), kit.join)), p), FLAT),
    equation("a timeout not reached is nothing", lambda kit, p: (kit.timeout(p, HOUR), p), P),
    equation("a block is its binds", blocks, P, P),
    Law("an effect is a value", (STRIKES, P), shown_again),
    Law("what began is ended", (TIGHT, TIGHT), cancelled_at_every_await),
    Law("nothing swallows a cancellation", (WRAPPERS,), nothing_swallows),
    Law("uninterruptible runs to its end", (st.integers(1, 4), P), uninterrupted),
    Law("retry tells all tries", (st.integers(0, 4),), all_tries_are_told),
    Law("functions are called once", (TIGHT,), calls_once),
)
"""All of them, by name."""
