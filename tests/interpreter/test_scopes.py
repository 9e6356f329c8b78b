"""Finalizers and scopes: what is opened is closed once, in reverse, on every kind of exit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Never

import anyio
import anyio.lowlevel
import pytest

from effect_runtime.effect import (
    Died,
    Do,
    Eff,
    Failed,
    Succeeded,
    acquire,
    attempt,
    defer,
    die,
    do,
    ensure,
    fail,
    from_async,
    from_sync,
    gather,
    race,
    scoped,
    succeed,
    timeout,
    uninterruptible,
)
from effect_runtime.errors import FinalizerTooSlow, UnhandledFailure
from effect_runtime.interpreter import run, run_exit
from effect_runtime.runtime import ask

pytestmark = pytest.mark.anyio

bug = ZeroDivisionError("bug")
forever = from_async(anyio.sleep_forever)


def noted(journal: list[str], text: str) -> Eff[None]:
    """Write into the journal after a wait."""

    async def write() -> None:
        await anyio.lowlevel.checkpoint()
        journal.append(text)

    return from_async(write)


def opened(journal: list[str], name: str) -> Eff[str]:
    """Acquire a resource that writes down when it is opened and closed."""
    return acquire(noted(journal, f"open {name}").map(lambda _: name), lambda it: noted(journal, f"close {it}"))


@do
def two(journal: list[str], ending: Eff[Any, Any]) -> Do[str, Any]:
    """Open two resources and end as told."""
    first = yield from opened(journal, "a")
    second = yield from opened(journal, "b")
    yield from ending
    return first + second


ORDER = ["open a", "open b", "close b", "close a"]


@pytest.mark.parametrize(
    ("ending", "exit"),
    [(succeed(None), Succeeded("ab")), (fail("no"), Failed("no")), (die(bug), Died(bug))],
    ids=["success", "failure", "defect"],
)
async def test_resources_close_in_reverse(ending: Eff[Any, Any], exit: object) -> None:
    """Whatever the exit, resources close in reverse, once, before the scope's outcome is seen."""
    journal: list[str] = []
    assert await run_exit(scoped(two(journal, ending))) == exit
    assert journal == ORDER


async def test_resources_close_in_reverse_on_cancellation() -> None:
    """A cancelled program closes its resources before the canceller goes on."""
    journal: list[str] = []
    with anyio.move_on_after(0) as host:
        await run(scoped(two(journal, forever)))
    assert (host.cancelled_caught, journal) == (True, [])
    with anyio.CancelScope() as host:

        async def stop() -> None:
            host.cancel()
            await anyio.lowlevel.checkpoint()

        await run(scoped(two(journal, from_async(stop))))
    assert (host.cancelled_caught, journal) == (True, ORDER)


async def test_the_run_itself_is_a_scope() -> None:
    """What is acquired outside any `scoped` closes at the end of the run."""
    journal: list[str] = []
    assert await run(two(journal, succeed(None))) == "ab"
    assert journal == ORDER
    assert await run(opened(journal, "c")) == "c"
    assert journal[len(ORDER) :] == ["open c", "close c"]


async def test_a_scope_closes_only_what_is_its_own() -> None:
    """An inner scope closes before the outer program goes on; the outer one keeps its own."""
    journal: list[str] = []

    @do
    def program() -> Do[None]:
        yield from opened(journal, "outer")
        yield from scoped(opened(journal, "inner"))
        yield from noted(journal, "after")

    await run(program())
    assert journal == ["open outer", "open inner", "close inner", "after", "close outer"]


async def test_a_resource_that_failed_to_open_is_not_closed() -> None:
    """Closing is owed only for what was opened."""
    journal: list[str] = []
    broken: Eff[str, str] = noted(journal, "opening").then(fail("no"))
    assert await run_exit(acquire(broken, lambda it: noted(journal, f"close {it}"))) == Failed("no")
    assert journal == ["opening"]


async def test_resources_of_parallel_branches_belong_to_the_scope_around() -> None:
    """What branches acquire outlives them and is usable after the gather."""
    journal: list[str] = []

    @do
    def program() -> Do[str]:
        first, second = yield from gather(opened(journal, "a"), opened(journal, "b"))
        yield from noted(journal, "use")
        return first + second

    assert await run(scoped(program())) == "ab"
    assert (journal[2], sorted(journal[:2]), sorted(journal[3:])) == (
        "use",
        ["open a", "open b"],
        ["close a", "close b"],
    )


async def test_ensure_runs_its_finalizer_on_every_exit() -> None:
    """`ensure` runs the finalizer once, after the program, whatever its exit."""
    for ending, exit in (
        (succeed(1), Succeeded(1)),
        (fail("no"), Failed("no")),
        (die(bug), Died(bug)),
    ):
        journal: list[str] = []
        program: Eff[Any, Any] = noted(journal, "body").then(ending)
        assert await run_exit(ensure(program, noted(journal, "finally"))) == exit
        assert journal == ["body", "finally"]


async def test_a_finalizer_sees_the_runtime_it_was_registered_with() -> None:
    """Closing uses the runtime of the place that opened."""
    seen: list[int] = []
    watching: Eff[None, Never, int] = ask[int]().bind(lambda number: from_sync(seen.append, number))
    assert await run(ensure(succeed(1), watching), 7) == 1
    assert seen == [7]


async def test_a_defect_of_a_finalizer_is_told() -> None:
    """A finalizer's defect wins over a value and a failure, and stands beside another defect."""
    broken = ValueError("close")
    assert await run_exit(ensure(succeed(1), die(broken))) == Died(broken)
    assert await run_exit(ensure(fail("no"), die(broken))) == Died(broken)
    assert broken.__notes__ == ["at the same time: typed failure 'no'"]
    exit = await run_exit(ensure(die(bug), die(broken)))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ExceptionGroup)
    assert exit.exception.exceptions == (bug, broken)


async def test_every_finalizer_runs_though_another_breaks() -> None:
    """A broken close keeps no other resource open."""
    journal: list[str] = []
    broken = ValueError("close")

    @do
    def program() -> Do[None]:
        yield from opened(journal, "a")
        yield from acquire(succeed(1), lambda _: die(broken))
        yield from opened(journal, "b")

    assert await run_exit(scoped(program())) == Died(broken)
    assert journal == ["open a", "open b", "close b", "close a"]


async def test_a_failure_of_a_finalizer_is_a_defect() -> None:
    """A finalizer may not fail; one that does, past the types, is a defect that carries the failure."""
    failing: Any = fail("no")
    exit = await run_exit(ensure(succeed(1), failing))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, UnhandledFailure)
    assert exit.exception.error == "no"


async def test_a_finalizer_that_hangs_is_given_up() -> None:
    """A finalizer has a deadline; past it the program goes on with a defect that says so."""
    exit = await run_exit(ensure(succeed(1), forever, within=timedelta(0)))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, FinalizerTooSlow)
    assert str(exit.exception).startswith("a finalizer did not end within 0 s")


async def test_a_finalizer_runs_in_the_task_of_its_program() -> None:
    """A resource that is bound to its task, as a cancel scope is, can be closed by a finalizer."""

    async def enter() -> anyio.CancelScope:
        scope = anyio.CancelScope()
        scope.__enter__()
        return scope

    async def leave(scope: anyio.CancelScope) -> None:
        scope.__exit__(None, None, None)

    # The shield of the finalizer lies inside the scope that it would leave: such a resource goes through `local` code.
    journal: list[str] = []

    async def whole() -> None:
        scope = await enter()
        journal.append("inside")
        await leave(scope)

    await run(ensure(succeed(1), from_async(whole)))
    assert journal == ["inside"]


async def test_uninterruptible_runs_to_its_end() -> None:
    """A cancellation is seen only after the uninterruptible part, which then has its effect."""
    journal: list[str] = []

    @do
    def program(host: anyio.CancelScope) -> Do[None]:
        yield from from_sync(host.cancel)
        yield from uninterruptible(noted(journal, "whole").then(noted(journal, "part")))
        yield from noted(journal, "never")

    with anyio.CancelScope() as host:
        await run(program(host))
    assert (host.cancelled_caught, journal) == (True, ["whole", "part"])


async def test_the_loser_of_a_race_has_run_its_finalizers() -> None:
    """When the race goes on, the cancelled loser is closed."""
    journal: list[str] = []
    loser: Eff[str] = scoped(opened(journal, "a").then(forever).map(lambda _: "loser"))
    winner: Eff[str] = (
        noted(journal, "tick").then(noted(journal, "tock")).then(noted(journal, "win")).map(lambda _: "w")
    )
    program = race(loser, winner).tap(lambda _: noted(journal, "on"))
    assert await run(program) == "w"
    assert journal[-3:] == ["win", "close a", "on"]


async def test_a_timeout_has_run_finalizers_when_it_fails() -> None:
    """A program that timed out is closed before its failure is seen."""
    journal: list[str] = []
    program = timeout(scoped(opened(journal, "a").then(forever)), timedelta(milliseconds=20))

    @do
    def outer() -> Do[str]:
        outcome = yield from attempt(program)
        yield from noted(journal, "on")
        return type(outcome).__name__

    assert await run(outer()) == "Failed"
    assert journal == ["open a", "close a", "on"]


async def test_deferred_acquisition_is_reached_at_each_run() -> None:
    """Running a scoped program twice opens and closes twice."""
    journal: list[str] = []
    program = scoped(defer(lambda: opened(journal, "a")))
    assert (await run(program), await run(program)) == ("a", "a")
    assert journal == ["open a", "close a"] * 2
