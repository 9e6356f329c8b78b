"""The `returns` view: its laws hold, its pipelines take it, and what it opens is released."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import settings
from returns.contrib.hypothesis.laws import check_all_laws
from returns.io import IO, IOFailure, IOSuccess
from returns.iterables import Fold
from returns.methods import cond
from returns.pipeline import flow, managed
from returns.pointfree import bind, lash
from returns.result import Failure, Result, Success

from effect_runtime.effect import (
    Ask,
    Cancelled,
    Died,
    Eff,
    Failed,
    Succeeded,
    die,
    fail,
    from_async,
    from_sync,
    succeed,
)
from effect_runtime.interpreter import Container, container, run_exit

# Adds a test for each of the 17 laws to this module.
check_all_laws(Container, settings_kwargs={"max_examples": settings().max_examples})


class Fault(Exception):
    """A defect."""


def test_all_seventeen_laws_are_checked() -> None:
    """`returns` knows 17 laws for this view, and each became a test of this module."""
    laws = sum(len(laws) for laws in Container.laws().values())
    tests = sum(name.startswith("test_container_") for name in globals())
    assert (laws, tests) == (17, 17)


@pytest.mark.anyio
async def test_the_view_runs_with_a_runtime_when_it_is_awaited() -> None:
    """Calling the view binds the runtime; awaiting the answer runs the effect, each time anew."""
    journal: list[int] = []
    view = container(Ask[int]().tap(lambda value: from_sync(journal.append, value)))
    assert (await view(1), await view(2), journal) == (IOSuccess(1), IOSuccess(2), [1, 2])


@pytest.mark.anyio
async def test_the_view_answers_with_the_failure() -> None:
    """A typed failure is an answer; a defect is raised."""
    assert await container(fail("late"))(None) == IOFailure("late")
    with pytest.raises(Fault):
        await container(die(Fault()))(None)


def test_the_view_gives_its_effect_back() -> None:
    """Nothing is wrapped twice: the effect that went in comes out."""
    effect = succeed(1)
    assert container(effect).effect is effect


@pytest.mark.anyio
async def test_flow_takes_views() -> None:
    """The point-free functions of `returns` work on views inside `flow`."""

    def half(number: int) -> Container[int, str, object]:
        return container(succeed(number // 2) if number % 2 == 0 else fail(f"{number} is odd"))

    def rescued(error: str) -> Container[int, str, object]:
        return container(succeed(len(error)))

    answers = [await flow(start, half, bind(half), lash(rescued))(None) for start in (8, 6)]
    assert answers == [IOSuccess(2), IOSuccess(len("3 is odd"))]


@pytest.mark.anyio
async def test_cond_takes_the_view() -> None:
    """`cond` builds either outcome."""
    views: list[Any] = [cond(Container, holds, "yes", "no") for holds in (True, False)]
    assert [await view(None) for view in views] == [IOSuccess("yes"), IOFailure("no")]


@pytest.mark.anyio
async def test_fold_collects_in_the_order_of_the_items() -> None:
    """`Fold.collect` runs the views one after another and keeps their order, ten thousand of them, too."""
    journal: list[int] = []

    def step(number: int) -> Container[int, str, object]:
        return container(from_sync(journal.append, number).map(lambda _: number))

    count = 10_000
    collected: Any = Fold.collect([step(number) for number in range(count)], Container.from_value(()))
    assert await collected(None) == IOSuccess(tuple(range(count)))
    assert journal == list(range(count))


@pytest.mark.anyio
async def test_fold_ends_with_the_first_failure() -> None:
    """Of several failures `Fold.collect` keeps the one that came first."""
    views = [container(succeed(1)), container(fail("first")), container(fail("second"))]
    collected: Any = Fold.collect(views, Container.from_value(()))
    assert await collected(None) == IOFailure("first")


@pytest.mark.anyio
async def test_every_lift_of_returns_is_understood() -> None:
    """`Result`, `IO` and `IOResult` enter by the constructors and by the binds."""
    one: Container[int, Any, object] = container(succeed(1))
    views: list[Any] = [
        Container.from_result(Success(1)),
        Container.from_result(Failure("no")),
        Container.from_io(IO(1)),
        Container.from_failed_io(IO("no")),
        Container.from_ioresult(IOSuccess(1)),
        Container.from_ioresult(IOFailure("no")),
        one.bind_result(lambda value: Success(value + 1)),
        one.bind_io(lambda value: IO(value + 1)),
        one.bind_ioresult(lambda value: IOFailure(value + 1)),
    ]
    assert [await view(None) for view in views] == [
        *(IOSuccess(1), IOFailure("no")) * 3,
        IOSuccess(2),
        IOSuccess(2),
        IOFailure(2),
    ]


def lent(use: Eff[str, str], journal: list[object]) -> Eff[str, str]:
    """Return `use` inside `managed`, with a release that writes what it was shown."""

    def release(book: str, outcome: Result[str, str]) -> Container[None, str, object]:
        return container(from_sync(journal.append, (book, outcome)))

    def used(book: str) -> Container[str, str, object]:
        return container(use)

    around: Any = managed(used, release)
    view: Container[str, str, object] = around(container(succeed("book")))
    return view.effect


@pytest.mark.anyio
async def test_managed_releases_after_a_value_and_after_a_failure() -> None:
    """Release sees the outcome, and the outcome is kept."""
    journal: list[object] = []
    exits = [await run_exit(lent(use, journal)) for use in (succeed("read"), fail("torn"))]
    assert exits == [Succeeded("read"), Failed("torn")]
    assert journal == [("book", Success("read")), ("book", Failure("torn"))]


@pytest.mark.anyio
async def test_managed_releases_after_an_exception() -> None:
    """`returns` alone skips the release when the use raises; here it runs once, and the exception goes on."""
    journal: list[object] = []
    fault = Fault("spilled")
    assert await run_exit(lent(die(fault), journal)) == Died(fault)
    assert journal == [("book", Failure(fault))]


@pytest.mark.anyio
async def test_managed_releases_after_a_cancellation() -> None:
    """A use that is cancelled is released, once, and the cancellation goes on."""
    journal: list[object] = []
    after: list[str] = []
    with anyio.CancelScope() as scope:

        async def cancelled() -> str:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
            return "read"

        await run_exit(lent(from_async(cancelled), journal))
        after.append("went on")
    assert (journal, after) == ([("book", Failure(Cancelled()))], [])


@pytest.mark.anyio
async def test_a_release_that_breaks_is_told() -> None:
    """A defect of the release comes to light beside the one that made it run."""
    first, second = Fault("use"), Fault("release")
    view: Container[str, Any, object] = container(die(first))
    exit = await run_exit(view.compose_result(lambda _: container(die(second))).effect)
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ExceptionGroup)
    assert exit.exception.exceptions == (first, second)
