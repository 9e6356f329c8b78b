"""Our laws, as data: what each is drawn from, and what it claims of any program.

Most say that two programs cannot be told apart by exit, operations, runtimes, finalizers and cancellation at any
await; the others say what one program shows. The left side is built with a kit, so that laws can be put to mutants;
the right side is spelled in the plainest instructions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from attrs import evolve, frozen
from hypothesis import strategies as st

from effect_runtime.effect import (
    Ask,
    Bind,
    Cancelled,
    Defer,
    Died,
    Ensure,
    Exit,
    ExitOf,
    Fail,
    Failed,
    Fold,
    Local,
    Map,
    Pure,
    Schedule,
    Succeeded,
    die,
)
from tests.laws.programs import (
    HOUR,
    KIND,
    KINDS,
    NUMBERS,
    Kit,
    Program,
    Tree,
    branch,
    effects,
    flat,
    folded,
    moved,
    noted,
    said,
)
from tests.laws.world import Act, Env, Slip, Way, watch

Sides: TypeAlias = tuple[Program, Program]
STRIKES = st.one_of(st.none(), st.integers(1, 6))


class Broken(AssertionError):
    """A law does not hold."""


@frozen
class Law:
    """A claim about every way to run and every kit: it raises `Broken` where it does not hold."""

    name: str
    draws: tuple[st.SearchStrategy[Any], ...]
    claim: Callable[..., Awaitable[None]]


def holds(claim: bool, *evidence: object) -> None:
    """Raise `Broken` with the evidence unless the claim is true."""
    if not claim:
        raise Broken(*evidence)


def equation(name: str, sides: Callable[..., Sides], *draws: st.SearchStrategy[Any], struck: bool = True) -> Law:
    """Return the law that two programs are one, also when a cancellation strikes."""

    async def claim(way: Way, kit: Kit, strike_at: int | None, *drawn: Any) -> None:
        left, right = sides(kit, *(each.build(kit) if isinstance(each, Tree) else each for each in drawn))
        seen = await watch(way, left, strike_at), await watch(way, right, strike_at)
        holds(seen[0] == seen[1], *seen)

    return Law(name, (STRIKES if struck else st.none(), *draws), claim)


def reraised(exit: Exit[Any, Any]) -> Program:
    """End as an exit says."""
    match exit:
        case Succeeded(value):
            return Pure(value)
        case Failed(error):
            return Fail(error)
        case Died(exception):
            assert isinstance(exception, Exception)
            return die(exception)
        case Cancelled():
            raise AssertionError("a cancellation by the host is no exit inside its program")


def grown(number: int) -> Callable[[int], int]:
    """Return a function in which order and number of calls show."""
    return lambda value: value * 5 + number


def always(program: Program) -> Callable[[Any], Program]:
    """Return the continuation that does not look."""
    return lambda _: program


def bind(program: Program, *continuations: Callable[[Any], Program]) -> Program:
    """Bind one after another."""
    for continuation in continuations:
        program = Bind(program, continuation)
    return program


def exit_then(program: Program, last: Program) -> Program:
    """Run `last` after any exit but a cancellation, and keep the exit."""
    return Bind(ExitOf(program), lambda exit: Bind(last, lambda _: reraised(exit)))


def caught(kit: Kit, p: Program, kind: str) -> Sides:
    """Say what `catch` is: a look at the failure."""
    chosen: Callable[[Any], Program] = lambda error: (  # noqa: E731  # a def would hide that it is one condition
        Pure(error.number) if isinstance(error, KINDS[kind]) else Fail(error)
    )
    return p.pipe(kit.catch(KINDS[kind], lambda error: Pure(error.number))), Fold(p, Pure, chosen)


def acquired(kit: Kit, p: Program, q: Program, use: Program) -> Sides:
    """Say what `acquire` is: nested finalizers."""

    def there(program: Program) -> Program:
        return Local(program, lambda env: moved(env, "there"))

    def close(name: str) -> Callable[[Any], Program]:
        return lambda value: said(f"close {name}", value)

    def nested(opened: Program, name: str, inner: Program) -> Program:
        # A resource is closed under the runtime that it was opened under.
        return Bind(there(opened), lambda value: Ensure(inner, there(close(name)(value)), HOUR))

    both = bind(there(kit.acquire(p, close("p"))), lambda _: bind(there(kit.acquire(q, close("q"))), always(use)))
    return kit.scoped(both), nested(p, "p", nested(q, "q", use))


def tried(kit: Kit, p: Program, limit: int, only: tuple[str, ...]) -> Sides:
    """Say what `retry` is: the program, and again after a failure that counts."""
    kinds = tuple(KINDS[kind] for kind in only)

    def again(left: int) -> Program:
        if not left:
            return p
        return Fold(p, Pure, lambda error: again(left - 1) if not kinds or isinstance(error, kinds) else Fail(error))

    return kit.retry(p, Schedule().times(limit).only(*kinds)), again(limit)


def one_by_one(*programs: Program) -> Program:
    """Run all, whatever each does, then end as the first defect, else the first failure, else all values."""

    def go_on(done: tuple[Exit[Any, Any], ...], rest: tuple[Program, ...]) -> Program:
        if rest:
            return Bind(ExitOf(rest[0]), lambda exit: go_on((*done, exit), rest[1:]))
        wrong = [exit for exit in done if not isinstance(exit, Succeeded)]
        dead = [exit.exception for exit in wrong if isinstance(exit, Died)]
        if len(dead) > 1:
            return die(ExceptionGroup("defects", [each for each in dead if isinstance(each, Exception)]))
        if dead:
            return reraised(Died(dead[0]))
        return reraised(wrong[0]) if wrong else Pure(tuple(exit.value for exit in done if isinstance(exit, Succeeded)))

    return go_on((), programs)


def branches(*programs: Program) -> tuple[Program, ...]:
    """Mark programs that run at once, so that what they show is compared branch by branch."""
    return tuple(branch(index)(program) for index, program in enumerate(programs))


def gathered(kit: Kit, p: Program, q: Program) -> Sides:
    """Say what `gather` is of programs that never wait: all of them, and the defects, else the first failure."""
    return kit.gather(*branches(p, q)), one_by_one(*branches(p, q))


def validated(kit: Kit, p: Program, q: Program) -> Sides:
    """Say what `validate` is, of programs that do not die: all failures, in order."""

    def ended(first: Any, second: Any) -> Program:
        errors = tuple(exit.error for exit in (first, second) if isinstance(exit, Failed))
        return Fail(errors) if errors else Pure((first.value, second.value))

    def alive(program: Program) -> Program:
        return Bind(ExitOf(program), lambda exit: Pure(0) if isinstance(exit, Died) else reraised(exit))

    left, right = branches(alive(p), alive(q))
    both = Bind(ExitOf(left), lambda first: Bind(ExitOf(right), lambda second: ended(first, second)))
    return kit.validate(left, right), both


def raced(kit: Kit, p: Program, q: Program) -> Sides:
    """Say what `race` is of programs that never wait: the first value; else what went wrong."""

    def ended(first: Exit[Any, Any], second: Exit[Any, Any]) -> Program:
        exits = (first, second)
        won = [exit for exit in exits if isinstance(exit, Succeeded)]
        if won and not any(isinstance(exit, Died) for exit in exits):
            return reraised(won[0])
        return one_by_one(reraised(first), reraised(second))

    left, right = branches(p, q)
    return kit.race(left, right), Bind(
        ExitOf(left), lambda first: Bind(ExitOf(right), lambda second: ended(first, second))
    )


def one_more(program: Program) -> Callable[[tuple[Any, ...]], Program]:
    """Return the continuation that adds the value of a program to those before."""
    return lambda got: Map(program, lambda value: (*got, value))


def items(kit: Kit, p: Program, count: int) -> Sides:
    """Say what `for_each` is: one after another, in order."""
    program: Program = Pure(())
    for item in range(count):
        program = Bind(program, one_more(noted("item", p)(item)))
    return kit.for_each(range(count), lambda item: noted("item", p)(item)), program


def blocks(kit: Kit, p: Program, q: Program) -> Sides:
    """Say what a do-block is: binds, with Python's own control flow between them."""

    @kit.do  # type: ignore[untyped-decorator]  # a kit is untyped
    def block() -> Any:
        first = yield from p
        second = yield from q
        return folded((first, second))

    return block(), Bind(p, lambda first: Map(q, lambda second: folded((first, second))))


def deferred(kit: Kit, p: Program) -> Sides:
    """Say what `defer` is: built when it is reached, and anew each time."""

    def build() -> Program:
        made.append(1)
        count = len(made)
        return Bind(said("made", count), always(p))

    made: list[int] = []
    twice = kit.defer(build)
    written = [Bind(said("made", count), always(p)) for count in (1, 2)]
    return Bind(said("before", len(made)), lambda _: bind(twice, always(twice))), bind(
        said("before", 0), always(written[0]), always(written[1])
    )


async def shown_again(way: Way, kit: Kit, strike_at: int | None, tree: Tree) -> None:
    """Claim that an effect is a value: run again it shows the same again."""
    program = tree.build(kit)
    seen = await watch(way, program, strike_at), await watch(way, program, strike_at)
    holds(seen[0] == seen[1], *seen)


async def cancelled_at_every_await(way: Way, kit: Kit, first: Tree, second: Tree) -> None:
    """Claim that wherever the host cancels, what began is ended: once, in reverse, and the cancellation is seen."""

    def ensured(name: str, tree: Tree) -> Program:
        program: Program = kit.ensure(said("begin", name).then(tree.build(kit)), said("end", name))
        return program

    lent = kit.acquire(said("begin", "lent"), lambda _: said("end", "lent"))
    program = kit.scoped(bind(lent, always(ensured("first", first)), always(ensured("second", second))))
    whole = await watch(way, program)
    for strike_at in (None, *range(1, whole.awaits + 1)):
        seen = await watch(way, program, strike_at)
        holds(strike_at is None or seen.exit == ("cancelled",), "not seen", strike_at, seen)
        open_ones: list[str] = []
        for verb, name in (entry.split() for entry, _ in seen.journal if entry.startswith(("begin ", "end "))):
            if verb == "begin":
                open_ones.append(name)
            else:
                holds(open_ones[-1:] == [name], "closed in another order, or again", name, strike_at, seen)
                open_ones.pop()
        holds(not open_ones, "left open", strike_at, seen)


async def nothing_swallows(way: Way, kit: Kit, wrappers: list[Tree]) -> None:
    """Claim that no combinator and no careless block lets a cancelled program go on."""
    tree = Tree("act", (), (Act("step", waits=True),))
    for wrapper in wrappers:
        tree = evolve(wrapper, programs=(tree, *wrapper.programs))
    seen = await watch(way, tree.build(kit).bind(lambda _: said("went", "on")), 1)
    names = [name for name, _ in seen.journal if name != "left the block"]  # A `finally` may run; nothing else.
    holds((seen.exit, names) == (("cancelled",), ["step"]), wrappers, seen)


async def uninterrupted(way: Way, kit: Kit, strike_at: int, tree: Tree) -> None:
    """Claim that what is uninterruptible runs to its end, and that the cancellation is seen then."""
    program = kit.uninterruptible(tree.build(kit))
    whole, struck = await watch(way, program), await watch(way, program, strike_at)
    holds(whole.journal == struck.journal, whole, struck)
    holds(struck.exit == (("cancelled",) if strike_at <= whole.awaits else whole.exit), struck)


async def all_tries_are_told(way: Way, kit: Kit, limit: int) -> None:
    """Claim that `retry` fails with the last failure, and that the earlier ones are its notes."""
    made: list[int] = []

    def fails() -> Program:
        made.append(1)
        return Fail(Slip(len(made)))

    seen = await watch(way, kit.retry(Defer(fails), Schedule().times(limit)))
    notes = tuple(f"try {number} failed with {Slip(number)!r}" for number in range(1, limit + 1))
    holds((seen.exit, seen.notes) == (("failure", Slip(limit + 1)), notes), seen.exit, seen.notes)


async def calls_once(way: Way, kit: Kit, tree: Tree) -> None:
    """Claim that the functions of `map` and `alt` are called once, and only on their side."""
    calls: list[str] = []

    def called(side: str) -> Callable[[Any], Any]:
        def call(value: Any) -> Any:
            calls.append(side)
            return value

        return call

    seen = await watch(way, kit.alt(kit.map(tree.build(kit), called("value")), called("failure")))
    expected = {"value": ["value"], "failure": ["failure"]}.get(seen.exit[0], [])
    holds(calls == expected, calls, seen)


def mild(program: Program) -> Program:
    """Return the program, ending well whatever it does."""
    return Bind(ExitOf(program), always(Pure(0)))


def under(kit: Kit, name: str, program: Program) -> Program:
    """Run under another token."""
    inner: Program = kit.local(program, lambda env: moved(env, name))
    return inner


def local_ends(kit: Kit, p: Program, q: Program) -> Sides:
    """Say where `local` ends: with its program, whatever that does."""

    def written_by_hand(env: Env) -> Program:
        inner = Local(ExitOf(p), lambda _: moved(env, "x"))
        return Bind(inner, always(Local(q, lambda _: env)))

    return Bind(ExitOf(under(kit, "x", p)), always(q)), Bind(Ask(), written_by_hand)


def local_is_seen(kit: Kit, name: str) -> Sides:
    """Say what `local` and `provide` are: another answer to `ask`, inside."""
    token: Program = Map(Ask(), lambda env: env.token)
    provided = Bind(Ask(), lambda env: kit.provide(moved(env, name))(token))
    outside = Map(token, lambda outer: (f"{outer}+{name}", f"{outer}+{name}", outer))
    seen = Bind(under(kit, name, token), lambda first: Map(provided, lambda second: (first, second)))
    return Bind(seen, lambda both: Map(token, lambda last: (*both, last))), outside


def local_composes(kit: Kit, p: Program) -> Sides:
    """Say what two of `local` are: one, the outer function first."""
    return under(kit, "y", under(kit, "x", p)), kit.local(p, lambda env: moved(moved(env, "y"), "x"))


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
