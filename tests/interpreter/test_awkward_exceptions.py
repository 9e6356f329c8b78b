"""Exceptions that resist: frozen ones, ones without text, ones that cannot be compared, and those of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Never

import anyio
import pytest

from effect_runtime.effect import (
    Died,
    Eff,
    Failed,
    Schedule,
    ensure,
    exit_of,
    fail,
    for_each,
    fork,
    from_async,
    from_sync,
    gather,
    join,
    race,
    retry,
    scoped,
    validate,
)
from effect_runtime.interpreter import run, run_exit

pytestmark = pytest.mark.anyio

forever = from_async(anyio.sleep_forever)


@dataclass(frozen=True)
class Frozen(Exception):
    """An exception whose attributes cannot be set, its traceback included."""

    code: int


class Textless(Exception):
    """An exception that cannot be printed."""

    def __str__(self) -> str:
        raise LookupError("no text")


class Incomparable(Exception):
    """An exception that cannot be compared."""

    __hash__ = Exception.__hash__

    def __eq__(self, other: object) -> bool:
        raise LookupError("no comparison")


class Hidden:
    """A failure that cannot be shown."""

    def __repr__(self) -> str:
        raise LookupError("no text")


def raising(exception: BaseException) -> Eff[Any]:
    """Describe raising an exception."""

    def throw() -> Never:
        raise exception

    return from_sync(throw)


@pytest.mark.parametrize("defect", [Frozen(1), Textless(), Incomparable()], ids=["frozen", "textless", "incomparable"])
async def test_a_defect_is_told_whatever_its_class_forbids(defect: Exception) -> None:
    """Relinking tracebacks and adding notes never replace the defect by one of their own."""
    assert await run_exit(raising(defect), None) == Died(defect)
    assert await run_exit(gather(raising(defect), fail("x")), None) == Died(defect)
    assert await run_exit(ensure(fail("x"), raising(defect)), None) == Died(defect)
    with pytest.raises(type(defect)) as caught:
        await run(raising(defect), None)
    assert caught.value is defect


async def test_several_defects_are_told_whatever_their_classes_forbid() -> None:
    """A group holds each of them."""
    defects = [Frozen(1), Textless(), Incomparable()]
    exit = await run_exit(gather(*(raising(defect) for defect in defects), fail("x")), None)
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ExceptionGroup)
    assert {id(each) for each in exit.exception.exceptions} == {id(defect) for defect in defects}


async def test_a_failure_that_cannot_be_shown_is_still_a_failure() -> None:
    """Notes on other failures and on earlier tries do without its text."""
    hidden = Hidden()
    assert await run_exit(gather(fail(hidden), fail(hidden)), None) == Failed(hidden)
    assert await run_exit(retry(fail(hidden), Schedule().times(2)), None) == Failed(hidden)


def in_parallel(stop: BaseException) -> dict[str, Eff[Any, Any]]:
    """Return programs of which one part asks the whole process to stop."""
    return {
        "gather": gather(forever, raising(stop)),
        "validate": validate(forever, raising(stop)),
        "race": race(forever, raising(stop)),
        "for_each": for_each([forever, raising(stop)], lambda each: each, limit=2),
        "fork": scoped(fork(raising(stop)).then(forever)),
        "join": scoped(fork(raising(stop)).bind(join)),
        "exit_of": exit_of(gather(forever, raising(stop))),
    }


@pytest.mark.parametrize("stop", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
@pytest.mark.parametrize("name", list(in_parallel(SystemExit())))
async def test_a_branch_that_stops_the_process_is_not_wrapped_in_a_group(name: str, stop: BaseException) -> None:
    """`sys.exit(3)` in a branch or a fork leaves `run_exit` as itself, so that the process ends with its status."""
    with pytest.raises(type(stop)) as caught:
        await run_exit(in_parallel(stop)[name], None)
    assert caught.value is stop
