"""Cancelled at every await: all or nothing, and the next one goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from anyio import create_task_group
from anyio.lowlevel import checkpoint

from effect_runtime.integration import Envelope, encode_message
from effect_runtime.outbox import Consumer
from tests.outbox.world import World, event, numbered, until, worlds

pytestmark = pytest.mark.anyio


async def cancelled_after(awaits: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Run work and cancel it after so many turns of the loop; tell whether it had ended by itself."""
    ended: list[object] = []

    async def run() -> None:
        await work()
        ended.append(True)

    async with create_task_group() as group:
        group.start_soon(run)
        for _ in range(awaits):
            await checkpoint()
        group.cancel_scope.cancel()
    return bool(ended)


async def slow(event: dict[str, Any], envelope: Envelope) -> object:
    """Handle well, with an await in the middle."""
    await checkpoint()
    return None


async def failing(event: dict[str, Any], envelope: Envelope) -> object:
    """Fail, with an await before."""
    await checkpoint()
    raise RuntimeError("breaks")


async def redelivered(world: World, consumer: Consumer, number: int) -> None:
    """Receive one event."""
    await consumer.receive(world.shop.id, encode_message(numbered(number)))


async def test_a_receive_cancelled_at_any_await_is_all_or_nothing() -> None:
    """The redelivery is applied or absorbed, never both."""
    for awaits in range(100):
        async with worlds() as world:
            world.shop.handler = slow
            consumer = world.consumer()
            ended = await cancelled_after(awaits, lambda w=world, c=consumer: redelivered(w, c, 1))  # type: ignore[misc]  # mypy cannot infer a default
            assert await world.shop.ids() in ([], ["dune-1"])
            await redelivered(world, consumer, 1)
            await redelivered(world, consumer, 2)
            assert await world.shop.ids() == ["dune-1", "dune-2"]
            if ended:
                return
    raise AssertionError("receive did not end")


async def test_a_failure_recorded_under_cancellation_is_recorded_or_not() -> None:
    """Afterwards the event is applied once, by its redelivery or by its retry."""
    for awaits in range(100):
        async with worlds() as world:
            world.shop.handler = failing
            consumer = world.consumer()
            ended = await cancelled_after(awaits, lambda w=world, c=consumer: redelivered(w, c, 1))  # type: ignore[misc]  # mypy cannot infer a default
            world.shop.handler = slow
            async with consumer.running():
                await redelivered(world, consumer, 1)
                await until(world.time, lambda c=consumer: c.counts.applied == 1)  # type: ignore[misc]  # mypy cannot infer a default
            assert await world.shop.ids() == ["dune-1"]
            if ended:
                return
    raise AssertionError("receive did not end")


async def test_a_world_cancelled_at_any_await_is_finished_by_the_next_one() -> None:
    """Relay, wire and consumer together, stopped anywhere: nothing is lost, doubled, out of order or stuck."""
    for awaits in range(0, 150, 3):
        async with worlds() as world:
            world.shop.handler = slow
            events = [event(number, key=key) for number in (1, 2, 3) for key in ("a", None)]

            async def run(world: World = world, events: list[Envelope] = events) -> None:
                async with world.running(world.relay(), world.consumer()):
                    await world.publish(*events)
                    await until(world.time, lambda: False, limit=1_000_000)

            await cancelled_after(awaits, run)
            if await world.source.backlog((world.shop.id,), limit=9) == 0 and not await world.shop.ids():
                continue  # cancelled before the commit
            relay, consumer = world.relay(), world.consumer()
            async with world.running(relay, consumer):
                await world.rest(relay, consumer)
                world.time.turn(timedelta(seconds=10))
                await world.rest(relay, consumer)
            effects = await world.shop.effects()
            assert sorted(id for _, _, id in effects) == sorted(each.id for each in events)
            assert [number for key, number, _ in effects if key == "a"] == [1, 2, 3]
            assert await world.source.backlog((world.shop.id,), limit=9) == 0
