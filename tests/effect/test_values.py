"""Effect values are data: building one runs nothing, and no event loop is needed to look at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from effect_runtime.effect import (
    Cancelled,
    Died,
    Do,
    Eff,
    Exit,
    Failed,
    Raised,
    Succeeded,
    acquire,
    attempt,
    defer,
    do,
    ensure,
    exit_of,
    fail,
    for_each,
    from_async,
    from_blocking,
    from_sync,
    gather,
    scoped,
    succeed,
    uninterruptible,
)
from effect_runtime.errors import NotYetThere


def strike() -> None:
    """Be what must not happen."""
    raise AssertionError("building an effect ran it")


async def strike_later() -> None:
    """Be what must not happen, awaited."""
    raise AssertionError("building an effect ran it")


@do
def striking() -> Do[None]:
    """Be a block that must not start."""
    strike()
    yield from succeed(None)


@pytest.mark.parametrize(
    "build",
    [
        lambda: from_sync(strike),
        lambda: from_async(strike_later),
        lambda: from_blocking(strike),
        lambda: defer(lambda: from_sync(strike)),
        striking,
        lambda: succeed(1).bind(lambda _: strike()),  # type: ignore[arg-type,return-value]  # not run
        lambda: fail(1).lash(lambda _: strike()),  # type: ignore[arg-type,return-value]  # not run
        lambda: striking() >> striking(),
        lambda: scoped(acquire(striking(), lambda _: striking())),
        lambda: ensure(attempt(striking()), exit_of(striking()).as_none()),
        lambda: gather(striking(), uninterruptible(striking())),
        lambda: for_each([1], lambda _: striking()),
    ],
)
def test_building_an_effect_runs_nothing(build: Callable[[], Eff[Any, Any]]) -> None:
    """Every constructor and combinator only describes."""
    assert isinstance(build(), Eff)


def test_iterating_a_block_starts_a_fresh_generator() -> None:
    """An effect keeps its function: each iteration is a new program."""
    program = striking()
    assert program.__iter__() is not program.__iter__()


def test_an_effect_yields_itself_and_returns_what_is_sent() -> None:
    """That is all that `yield from` on an instruction does."""
    effect = from_sync(strike)
    steps = effect.__iter__()
    assert next(steps) is effect
    with pytest.raises(StopIteration) as stop:
        steps.send("answer")
    assert stop.value.value == "answer"


def test_a_failure_is_raised_in_the_block_that_yields_from_it() -> None:
    """`fail` needs no loop to stop a block, and a broad `except Exception` lets it pass."""

    @do
    def careless() -> Do[str, str]:
        try:
            yield from fail("no")
        except Exception:  # the slip under test
            return "swallowed"
        return "never"

    with pytest.raises(Raised, match="typed failure 'no'") as signal:
        next(careless().__iter__())
    assert signal.value.error == "no"


def test_effects_say_what_they_are() -> None:
    """A value in a debugger names itself."""
    assert repr(succeed(1)) == "succeed(1)"
    assert repr(fail("no")) == "fail('no')"
    assert repr(striking()) == "<striking(...) effect>"
    assert repr(attempt(succeed(1))) == "<Attempt effect>"


def test_a_block_keeps_the_name_and_words_of_its_function() -> None:
    """`@do` is invisible to whoever reads the function."""
    assert (striking.__name__, striking.__doc__) == ("striking", "Be a block that must not start.")


def test_exits_are_compared_by_what_they_hold() -> None:
    """A value and a failure compare by content, a defect by its exception."""
    bug = ValueError("bug")
    exits: list[Exit[int, str]] = [Succeeded(1), Failed("no"), Died(bug), Cancelled()]
    assert exits == [Succeeded(1), Failed("no"), Died(bug), Cancelled()]
    assert Died(bug) != Died(ValueError("bug"))
    assert len({*exits, Succeeded(1), Died(bug)}) == 4


def test_an_attribute_of_the_value_asked_of_the_effect_is_told_with_its_way_out() -> None:
    """`rt = lending.runtime` without `yield from` is a likely slip; type checkers refuse it, too."""
    with pytest.raises(NotYetThere) as caught:
        getattr(succeed(1), "patrons")  # noqa: B009  # type checkers refuse the slip itself
    assert str(caught.value) == (
        "<Pure effect> has no attribute 'patrons': it describes a value that is not there yet. "
        "Write `value = yield from ...` first, and ask the value for `.patrons`."
    )
    assert not hasattr(succeed(1), "patrons")
