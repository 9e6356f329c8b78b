"""Faults found in other effect libraries, each a promise of ours, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Never

import anyio
import anyio.lowlevel
import pytest

from effect_runtime.effect import (
    Do,
    Eff,
    Failed,
    Schedule,
    Succeeded,
    acquire,
    attempt,
    defer,
    do,
    exit_of,
    fail,
    for_each,
    fork,
    from_async,
    from_sync,
    gather,
    retry,
    scoped,
    succeed,
)
from effect_runtime.errors import AsyncBlock, OperationNotAsync, UnjoinedFailure
from effect_runtime.interpreter import Interceptor, Interpreter, inject, record, run, run_exit, stub, trace
from effect_runtime.runtime import operation
from tests.interpreter.library import (
    BookUnknown,
    HasShelf,
    MemoryShelf,
    Reading,
    Shelf,
    ShelfBroken,
    collapse,
    copies_of,
    reading,
)
from tests.interpreter.spans import Spans

pytestmark = pytest.mark.anyio

Wrap = Callable[[Eff[Any, Any, Any]], Eff[Any, Any, Any]]

WRAPS: dict[str, Wrap] = {
    "bare": lambda eff: eff,
    "mapped": lambda eff: eff.map(lambda value: value),
    "bound": lambda eff: eff.bind(succeed),
    "attempted": lambda eff: attempt(eff).bind(lambda out: succeed(out.value)),  # type: ignore[union-attr]  # succeeds
    "scoped": scoped,
    "retried": lambda eff: retry(eff, Schedule.fixed(timedelta(0)).times(1)),
    "gathered": lambda eff: gather(eff, succeed(0)).map(lambda pair: pair[0]),
    "deferred": lambda eff: defer(lambda: eff),
}


def interceptors() -> dict[str, tuple[Interceptor, ...]]:
    """Return every interceptor, and none, and all."""
    every: dict[str, tuple[Interceptor, ...]] = {
        "none": (),
        "record": (record([]),),
        "trace": (trace(Spans()),),
        "stub": (stub({}),),
        "inject": (inject(),),
    }
    every["all"] = tuple(one for several in every.values() for one in several)
    return every


async def test_1_running_twice_gives_the_same_twice() -> None:
    """An effect value keeps functions, never a started generator: it can be run again, in parallel too."""
    program = copies_of(1)
    runtime = reading(book_1=3)
    assert (await run(program, runtime), await run(program, runtime)) == (3, 3)
    assert await run(gather(program, program), runtime) == (3, 3)


@do
def guarded(journal: list[str]) -> Do[str, BookUnknown, HasShelf]:
    """Catch a defect with try/except and leave with `finally`."""
    try:
        yield from collapse()
    except ShelfBroken as broken:
        journal.append(f"caught {broken}")
        return "handled"
    finally:
        journal.append("finally")
    return "never"


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("around", interceptors())
async def test_2_try_and_finally_behave_the_same_everywhere(wrap: str, around: str) -> None:
    """Bare, wrapped, retried, and under every interceptor, a block handles its exception and leaves once."""
    journal: list[str] = []
    interpreter = Interpreter(interceptors()[around])
    assert await interpreter.run(WRAPS[wrap](guarded(journal)), reading()) == "handled"
    assert journal == ["caught it fell", "finally"]


async def test_3_an_exception_of_a_service_reaches_the_yield_from_line() -> None:
    """A service's exception can be caught by the block at its line, or by a combinator."""
    lines: list[int] = []

    @do
    def block() -> Do[str, BookUnknown, HasShelf]:
        try:
            yield from collapse()
        except ShelfBroken as broken:
            traceback = broken.__traceback__
            assert traceback is not None
            lines.append(traceback.tb_lineno - block.__wrapped__.__code__.co_firstlineno)  # type: ignore[attr-defined]
            return "caught"
        return "never"

    assert await run(block(), reading()) == "caught"
    assert lines == [3]
    assert await run(exit_of(collapse()).map(lambda exit: type(exit).__name__), reading()) == "Died"
    assert await run(attempt(copies_of(9)), reading()) == Failed(BookUnknown(9))


async def test_4_finally_and_finalizers_have_run_before_the_canceller_goes_on() -> None:
    """Inner `finally` blocks run, finalizers run once and in reverse, and only then the canceller continues."""
    journal: list[str] = []

    def resource(name: str) -> Eff[str]:
        return acquire(succeed(name), lambda it: from_sync(journal.append, f"close {it}"))

    @do
    def block(host: anyio.CancelScope) -> Do[None]:
        yield from resource("a")
        yield from resource("b")
        try:
            yield from from_sync(host.cancel)
            yield from from_async(anyio.lowlevel.checkpoint)
        finally:
            journal.append("finally")

    with anyio.CancelScope() as host:
        await run(scoped(block(host)))
    journal.append("canceller")
    assert journal == ["finally", "close b", "close a", "canceller"]


async def test_5_a_forks_failure_is_never_lost() -> None:
    """Nobody joins, the scope tells."""

    @do
    def program() -> Do[int]:
        yield from fork(fail("lost"))
        yield from from_async(anyio.lowlevel.checkpoint)
        yield from from_async(anyio.lowlevel.checkpoint)
        return 1

    with pytest.raises(UnjoinedFailure, match="'lost'"):
        await run(scoped(program()))


@pytest.fixture
def depth(anyio_backend: str) -> int:
    """Return how long a chain must be: the loop never asks which engine it is on, so one of them gets the million."""
    return 1_000_000 if anyio_backend == "asyncio" else 20_000


async def test_7_depth_overflows_nothing(depth: int) -> None:
    """100,000 nested defers, a million binds both ways (on one engine), 10,000 collected effects."""

    def down(number: int) -> Eff[int]:
        return succeed(0) if number == 0 else defer(lambda: down(number - 1)).map(lambda n: n + 1)

    def right(number: int) -> Eff[int]:
        return succeed(number) if number == depth else succeed(number + 1).bind(right)

    left: Eff[int] = succeed(0)
    for _ in range(depth):
        left = left.bind(lambda number: succeed(number + 1))
    assert await run(down(100_000)) == 100_000
    assert await run(right(0)) == depth
    assert await run(left) == depth
    many = [succeed(number) for number in range(10_000)]
    assert await run(for_each(many, lambda eff: eff)) == tuple(range(10_000))
    assert await run(gather(*many)) == tuple(range(10_000))


async def test_7_a_failure_passes_a_million_frames(depth: int) -> None:
    """Unwinding is as flat as resuming, and the stack is whole afterwards."""
    chain: Eff[int, str] = fail("deep")
    for _ in range(depth):
        chain = chain.map(lambda number: number + 1)
    assert await run(attempt(chain).zip(succeed(1))) == (Failed("deep"), 1)


async def test_8_release_is_not_skipped_and_order_is_kept() -> None:
    """An exception in the body releases; gathered results keep their order."""
    journal: list[str] = []
    opened: Eff[str, Never, HasShelf] = acquire(succeed("r"), lambda it: from_sync(journal.append, f"close {it}"))
    managed = scoped(opened.then(collapse()))
    exit = await run_exit(managed, reading())
    assert (type(exit).__name__, journal) == ("Died", ["close r"])

    def turns(count: int) -> Eff[int]:
        return for_each(range(count), lambda _: from_async(anyio.lowlevel.checkpoint)).map(lambda _: count)

    assert await run(gather(turns(5), turns(1), turns(3))) == (5, 1, 3)


def test_10_an_async_def_is_refused_where_it_is_defined() -> None:
    """`@do` on a coroutine function and `@operation` on a plain one are refused at definition."""

    async def coroutine() -> int:
        return 1

    def plain(self: object, /) -> int:
        return 1

    with pytest.raises(AsyncBlock, match=r"coroutine \(.*test_peer_faults\.py:\d+\) is an async def"):
        do(coroutine)  # type: ignore[arg-type]  # the slip under test
    with pytest.raises(OperationNotAsync, match="plain is not one"):
        operation(kind="local")(plain)  # type: ignore[arg-type]  # the slip under test


def test_what_is_refused_at_its_definition_is_named_even_without_a_name() -> None:
    """A partial has neither name nor line; the refusal shows it as Python does."""

    async def lend(self: object, days: int) -> int:
        return days

    nameless: Any = partial(lend, days=3)
    with pytest.raises(AsyncBlock, match=r"^functools\.partial\(.*, days=3\) is an async def, which"):
        do(nameless)
    with pytest.raises(
        OperationNotAsync, match=r"^@operation needs an async method, and functools\.partial\(.*\) is not"
    ):
        operation(kind="local")(nameless)


async def test_a_port_of_effects_is_satisfied_by_an_adapter_of_async_methods() -> None:
    """The adapter's `Result` becomes a value or a declared failure."""
    port: Shelf = MemoryShelf({1: 4})
    runtime = Reading(port)
    assert await run_exit(copies_of(1), runtime) == Succeeded(4)
    assert await run_exit(copies_of(2), runtime) == Failed(BookUnknown(2))
