"""What the laws are made of: each combinator spelled in plainer instructions, and claims about one program.

The left side is built with a kit, so that a mutant can stand in; the right side never is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import evolve

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
    KINDS,
    Kit,
    Program,
    Tree,
    branch,
    folded,
    moved,
    noted,
    said,
)
from tests.laws.world import Act, Env, Slip, Way, watch

Sides: TypeAlias = tuple[Program, Program]


class Broken(AssertionError):
    """A law does not hold."""


def holds(claim: bool, *evidence: object) -> None:
    """Raise `Broken` with the evidence unless the claim is true."""
    if not claim:
        raise Broken(*evidence)


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
