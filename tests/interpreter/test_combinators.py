"""What each combinator around one program means, on both engines."""

from __future__ import annotations

from typing import Never

import pytest
from returns.future import FutureResult
from returns.maybe import Nothing, Some
from returns.result import Failure, Result, Success

from effect_runtime.effect import (
    Cancelled,
    Died,
    Do,
    Eff,
    Failed,
    Succeeded,
    attempt,
    catch,
    defer,
    die,
    do,
    exit_of,
    fail,
    from_async,
    from_blocking,
    from_future_result,
    from_maybe,
    from_result,
    from_sync,
    guard,
    local,
    or_else,
    provide,
    recover,
    require,
    succeed,
)
from effect_runtime.errors import NotAnEffect, UnhandledFailure
from effect_runtime.interpreter import run, run_exit
from effect_runtime.runtime import ask
from tests.interpreter.library import (
    BookUnknown,
    HasShelf,
    MemoryShelf,
    Reading,
    ShelfBroken,
    collapse,
    copies_of,
    reading,
)

pytestmark = pytest.mark.anyio

bug = ZeroDivisionError("bug")


async def test_succeed_yields_its_value() -> None:
    """A value is a program that yields it."""
    assert await run(succeed(1)) == 1


async def test_fail_is_failed_at_the_exit() -> None:
    """A failure is the exit `Failed`."""
    assert await run_exit(fail("no")) == Failed("no")


async def test_die_is_died_at_the_exit() -> None:
    """A defect is the exit `Died`."""
    assert await run_exit(die(bug)) == Died(bug)


async def test_run_raises_a_failure_as_unhandled() -> None:
    """Running for the value raises a failure, which carries the declared error."""
    with pytest.raises(UnhandledFailure, match=r"failed with BookUnknown\(book=9\)") as caught:
        await run(copies_of(9), reading())
    assert caught.value.error == BookUnknown(9)


async def test_run_raises_a_defect_as_itself() -> None:
    """Running for the value raises the adapter's own exception."""
    with pytest.raises(ShelfBroken, match="it fell"):
        await run(collapse(), reading())


async def test_map_applies_a_function_to_the_value() -> None:
    """`map` changes the value and leaves a failure alone."""
    assert await run_exit(succeed(1).map(str)) == Succeeded("1")
    assert await run_exit(fail("no").map(str)) == Failed("no")


async def test_bind_goes_on_with_the_value() -> None:
    """`bind` runs the next effect, unless the first failed."""
    assert await run_exit(succeed(1).bind(lambda n: succeed(n + 1))) == Succeeded(2)
    assert await run_exit(succeed(1).bind(lambda n: fail(n))) == Failed(1)
    assert await run_exit(fail("no").bind(lambda n: succeed(n))) == Failed("no")


async def test_then_drops_the_first_value() -> None:
    """`then` and `>>` run both and keep the second value."""
    assert await run(succeed(1).then(succeed(2))) == 2
    assert await run(succeed(1) >> succeed(3)) == 3


async def test_tap_keeps_the_value() -> None:
    """`tap` runs an effect for the value and keeps the value, or fails with it."""
    seen: list[int] = []
    assert await run(succeed(1).tap(lambda n: from_sync(seen.append, n))) == 1
    assert seen == [1]
    assert await run_exit(succeed(1).tap(lambda n: fail("no"))) == Failed("no")


async def test_zip_pairs_in_order() -> None:
    """`zip` runs one after the other and pairs the values."""
    seen: list[str] = []
    left = from_sync(seen.append, "left").map(lambda _: 1)
    right = from_sync(seen.append, "right").map(lambda _: 2)
    assert (await run(left.zip(right)), seen) == ((1, 2), ["left", "right"])


async def test_apply_runs_itself_before_its_argument() -> None:
    """`apply` applies the function that the argument yields; the effect that is applied to runs first."""
    assert await run(succeed(2).apply(succeed(lambda n: n * 10))) == 20
    both: Eff[int, str] = fail("value").apply(fail("function"))
    assert await run_exit(both) == Failed("value")


async def test_alt_changes_the_failure() -> None:
    """`alt` changes a failure and leaves a value alone."""
    assert await run_exit(fail(1).alt(str)) == Failed("1")
    assert await run_exit(succeed(1).alt(str)) == Succeeded(1)


async def test_lash_answers_the_failure() -> None:
    """`lash` goes on from a failure and leaves a value alone."""
    assert await run_exit(fail(1).lash(lambda n: succeed(n + 1))) == Succeeded(2)
    assert await run_exit(succeed(1).lash(lambda n: fail("no"))) == Succeeded(1)


async def test_swap_turns_outcomes_around() -> None:
    """`swap` makes values failures and failures values."""
    assert await run_exit(succeed(1).swap()) == Failed(1)
    assert await run_exit(fail(1).swap()) == Succeeded(1)


async def test_bind_result_goes_on_with_a_result() -> None:
    """`bind_result` takes a function that returns a `Result`."""

    def half(number: int) -> Result[int, str]:
        return Success(number // 2) if number % 2 == 0 else Failure("odd")

    assert await run_exit(succeed(4).bind_result(half)) == Succeeded(2)
    assert await run_exit(succeed(3).bind_result(half)) == Failed("odd")


async def test_compose_result_sees_both_outcomes() -> None:
    """`compose_result` hands the outcome over as a `Result`."""

    def told(outcome: Result[int, str]) -> Eff[str]:
        return succeed(str(outcome))

    assert await run(succeed(1).compose_result(told)) == "<Success: 1>"
    assert await run(fail("no").compose_result(told)) == "<Failure: no>"


async def test_as_none_drops_the_value() -> None:
    """`as_none` yields `None`."""
    assert await run_exit(succeed(1).as_none()) == Succeeded(None)


async def test_the_words_of_returns_build_the_same_effects() -> None:
    """`from_value`, `from_failure` and `from_result` are the vocabulary of `returns`."""
    assert await run_exit(Eff.from_value(1)) == Succeeded(1)
    assert await run_exit(Eff.from_failure("no")) == Failed("no")
    assert await run_exit(Eff.from_result(Success(1))) == Succeeded(1)
    assert await run_exit(from_result(Failure("no"))) == Failed("no")


async def test_catch_answers_failures_of_one_kind() -> None:
    """`catch` answers instances of its class, and lets other failures and defects pass."""

    def zero(error: BookUnknown) -> Eff[int]:
        return succeed(-error.book)

    handle = catch(BookUnknown, zero)
    assert await run_exit(copies_of(9).pipe(handle), reading()) == Succeeded(-9)
    assert await run_exit(copies_of(1).pipe(handle), reading(book_1=2)) == Succeeded(2)
    assert await run_exit(fail("no").pipe(catch(BookUnknown, zero))) == Failed("no")
    assert await run_exit(die(bug).pipe(catch(BookUnknown, zero))) == Died(bug)


async def test_recover_answers_every_failure() -> None:
    """`recover` answers all failures and no defect."""
    assert await run_exit(recover(fail(1), lambda n: succeed(n + 1))) == Succeeded(2)
    assert await run_exit(recover(die(bug), lambda n: succeed(n))) == Died(bug)


async def test_or_else_falls_back() -> None:
    """`or_else` runs the other effect only after a failure."""
    assert await run_exit(or_else(fail(1), succeed(2))) == Succeeded(2)
    assert await run_exit(or_else(succeed(1), fail("unused"))) == Succeeded(1)


async def test_attempt_makes_the_outcome_a_value() -> None:
    """`attempt` yields `Succeeded` or `Failed` and lets a defect pass."""
    assert await run(attempt(succeed(1))) == Succeeded(1)
    assert await run(attempt(fail("no"))) == Failed("no")
    assert await run_exit(attempt(die(bug))) == Died(bug)


async def test_exit_of_yields_defects_too() -> None:
    """`exit_of` yields a value, a failure and a defect alike."""
    assert await run(exit_of(succeed(1))) == Succeeded(1)
    assert await run(exit_of(fail("no"))) == Failed("no")
    assert await run(exit_of(die(bug))) == Died(bug)


async def test_guard_fails_unless_the_condition_holds() -> None:
    """`guard` is a step that passes or fails."""
    assert await run_exit(guard(True, "no")) == Succeeded(None)
    assert await run_exit(guard(False, "no")) == Failed("no")


async def test_require_takes_the_none_away() -> None:
    """`require` yields what is there, or fails; a false value is there."""
    assert await run_exit(require(0, "no")) == Succeeded(0)
    assert await run_exit(require(None, "no")) == Failed("no")


async def test_provide_supplies_the_runtime_and_only_inside() -> None:
    """`provide` changes the runtime of its program and of nothing after it, whatever its outcome."""

    @do
    def program() -> Do[tuple[int, object], Never, int]:
        inner = yield from ask[int]().pipe(provide(2))
        yield from attempt(fail("no").pipe(provide(3)))
        yield from exit_of(die(bug).pipe(provide(4)))
        return inner, (yield from ask[int]())

    assert await run(program(), 1) == (2, 1)


async def test_local_makes_a_runtime_of_the_current_one() -> None:
    """`local` runs its program with a runtime derived from the current one."""
    program: Eff[int, Never, int] = local(ask[int](), lambda number: number + 1)
    assert await run(program, 1) == 2


async def test_defer_builds_at_each_run() -> None:
    """`defer` asks for its program each time it is reached."""
    built: list[int] = []

    def build() -> Eff[int]:
        built.append(1)
        return succeed(len(built))

    program = defer(build)
    assert (await run(program), await run(program)) == (1, 2)


async def test_lifts_call_their_function_at_each_run() -> None:
    """Async, sync and blocking functions are called when run, with their arguments."""

    async def slow(number: int, *, by: int) -> int:
        return number * by

    def quick(number: int, *, by: int) -> int:
        return number * by

    assert await run(from_async(slow, 2, by=3)) == 6
    assert await run(from_sync(quick, 2, by=4)) == 8
    assert await run(from_blocking(quick, 2, by=5)) == 10


async def test_what_a_lifted_function_raises_is_a_defect() -> None:
    """An exception of a lifted function is a defect."""

    def broken() -> int:
        raise bug

    assert await run_exit(from_sync(broken)) == Died(bug)
    assert await run_exit(from_blocking(broken)) == Died(bug)


async def test_maybe_and_future_result_are_lifted() -> None:
    """`Maybe` and `FutureResult` become effects; the latter can be run again."""

    async def outcome(number: int) -> Result[int, str]:
        return Success(number) if number else Failure("zero")

    def future(number: int) -> FutureResult[int, str]:
        return FutureResult(outcome(number))

    assert await run_exit(from_maybe(Some(1), "no")) == Succeeded(1)
    assert await run_exit(from_maybe(Nothing, "no")) == Failed("no")
    program = from_future_result(future, 1)
    assert (await run(program), await run(program)) == (1, 1)
    assert await run_exit(from_future_result(future, 0)) == Failed("zero")


async def test_a_block_that_yields_no_effect_is_named() -> None:
    """Yielding something else is a defect that names the line."""

    @do
    def slip() -> Do[int]:
        yield 42  # type: ignore[misc]  # the slip under test
        return 1

    with pytest.raises(NotAnEffect, match=r"test_combinators\.py:\d+ in .*slip: expected an effect and got 42"):
        await run(slip())


async def test_a_block_may_return_an_effect() -> None:
    """A do-block function without a yield returns an effect, which is run."""

    @do
    def plain(number: int) -> Eff[int]:
        return succeed(number)

    @do
    def outer() -> Do[int]:
        return (yield from plain(1)) + (yield from plain(2).map(lambda n: n * 10))

    assert await run(plain(5)) == 5
    assert await run(outer()) == 21


async def test_a_program_sees_the_runtime_it_is_run_with() -> None:
    """Running the same program with two runtimes gives two answers."""
    program: Eff[int, BookUnknown, HasShelf] = copies_of(1)
    one, two = Reading(MemoryShelf({1: 1})), Reading(MemoryShelf({1: 2}))
    assert (await run(program, one), await run(program, two)) == (1, 2)


async def test_the_exits_map_only_a_value() -> None:
    """`map` of an exit changes a value and nothing else."""
    assert Succeeded(1).map(str) == Succeeded("1")
    assert Failed("no").map(str) == Failed("no")
    assert Died(bug).map(str) == Died(bug)
    assert Cancelled().map(str) == Cancelled()
