"""What of anyio depends on addresses is put in order while a run lasts. One test for each thing that is touched."""

from __future__ import annotations

import asyncio
from asyncio import taskgroups
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import anyio
import pytest
from anyio._backends import _asyncio as engine

from effect_runtime.errors import NotSimulated
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import (
    TESTED,
    OrderedSet,
    check_insides,
    forget,
    is_redelivery,
    ordered_scopes,
    unstarted,
)
from effect_runtime.testing.loop._sequencer import Sequencer
from effect_runtime.testing.loop._site import Canonical


def test_a_set_keeps_the_order_of_its_members() -> None:
    """Members that leave and come back come last."""
    members = OrderedSet[str]()
    for member in ("c", "a", "b", "c"):
        members.add(member)
    members.remove("c")
    members.discard("x")
    members.add("c")
    assert list(members) == ["a", "b", "c"]
    with pytest.raises(KeyError):
        members.remove("x")


def test_scopes_made_inside_keep_their_tasks_and_children_in_order() -> None:
    """The names that anyio gives its sets are still those that this adapter knows."""
    with ordered_scopes():
        scope = engine.CancelScope()
        group = engine.TaskGroup()
    assert isinstance(scope._tasks, OrderedSet)
    assert isinstance(scope._child_scopes, OrderedSet)
    assert isinstance(group._tasks, OrderedSet)


def test_outside_nothing_is_left_of_it() -> None:
    """anyio's module has no name of its own for `set`, before and after."""
    assert not {"set"} & (vars(engine).keys() | vars(taskgroups).keys())
    with ordered_scopes(), ordered_scopes():
        assert vars(engine)["set"] is vars(taskgroups)["set"] is OrderedSet
    assert not {"set"} & (vars(engine).keys() | vars(taskgroups).keys())


def test_an_anyio_with_other_insides_is_refused_with_the_versions_that_are_known() -> None:
    """Before anything runs: without order, no plan would mean the same twice."""
    with pytest.raises(NotSimulated) as refused:
        check_insides((("CancelScope", engine.CancelScope, ("_deliver_cancellation", "_deliver_otherwise")),))
    assert str(refused.value) == (
        f"a run on anyio {version('anyio')} cannot be simulated: there is no _deliver_otherwise in CancelScope; "
        f"install a version from {TESTED[0]} to {TESTED[-1]}, which the kit is tested with."
    )


def test_the_version_in_use_is_one_that_is_tested() -> None:
    """A new one is added when every test of this module has passed with it."""
    assert version("anyio").rpartition(".")[0] in TESTED


def test_tasks_of_an_asyncio_group_are_cancelled_in_the_order_of_their_beginning() -> None:
    """An adapter may use what the standard library has."""
    told: list[int] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            told.append(number)

    async def parent() -> None:
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(child(number))
                await asyncio.sleep(1)
                raise LookupError

    _driven(parent())
    assert told == list(range(50))


def test_a_cancellation_that_is_delivered_again_is_told_from_other_callbacks() -> None:
    """It is the bound method of a scope."""
    with ordered_scopes():
        scope = engine.CancelScope()
    assert is_redelivery(scope._deliver_cancellation)
    assert not is_redelivery(scope.cancel)
    assert not is_redelivery(print)


def test_children_are_cancelled_in_the_order_in_which_they_were_started() -> None:
    """By address, it would be another order in each process."""
    told: list[int] = []

    async def child(number: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            told.append(number)

    async def parent() -> None:
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(child, number)
            await anyio.sleep(1)
            group.cancel_scope.cancel()

    _driven(parent())
    assert told == list(range(50))


def test_what_anyio_keeps_of_a_task_can_be_forgotten() -> None:
    """The record of a task that never ends refers to the task, and would keep it."""
    tasks: list[asyncio.Task[Any]] = []

    async def waits() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        with anyio.CancelScope():
            await anyio.sleep_forever()

    life = _driven(waits())
    assert tasks[0] in engine._task_states
    life.dispose()
    assert tasks[0] not in engine._task_states
    forget(tasks[0])  # twice is harmless


def test_a_task_that_has_not_begun_leaves_no_coroutine_behind() -> None:
    """anyio wraps it: closing the wrapper alone would leave the inner one, which warns that nobody awaited it."""

    async def inner() -> None: ...

    async def spawns() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(inner)
            life.die()
            await anyio.sleep_forever()

    sequencer = Sequencer(Canonical())
    life = Incarnation(sequencer, "p")
    with ordered_scopes():
        life.create_task(spawns())
        sequencer.drive(1.0)
        life.dispose()


def test_a_coroutine_that_nobody_wrapped_has_no_inner_one() -> None:
    """There is nothing else to close."""

    async def plain() -> None: ...

    coroutine = plain()
    assert unstarted(coroutine) is None
    coroutine.close()


def _driven(coroutine: Any) -> Incarnation:
    sequencer = Sequencer(Canonical())
    life = Incarnation(sequencer, "p")
    with ordered_scopes():
        life.create_task(coroutine)
        sequencer.unfinished += 1
        sequencer.drive(10.0)
    return life
