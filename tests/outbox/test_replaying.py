"""Many dead letters replayed in one round: at a rate, each once, and again from where an interrupted round was."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest
from anyio import CancelScope, create_task_group

from effect_runtime.integration import Envelope, encode_message
from effect_runtime.outbox import Replays, replay_all
from tests.outbox.world import World, event, steps, worlds

pytestmark = pytest.mark.anyio


async def burdened(world: World, count: int) -> list[str]:
    """Bury events without a key, one second apart; return the ids of the events."""
    broken = True

    async def handle(payload: dict[str, Any], envelope: Envelope) -> object:
        return "dead_letter" if broken else None

    world.shop.handler = handle
    consumer = world.consumer()
    events = [event(number, key=None) for number in range(count)]
    for each in events:
        await consumer.receive(world.shop.id, encode_message(each))
        world.time.turn(timedelta(seconds=1))
    broken = False
    return [each.id for each in events]


async def taken_up(world: World) -> None:
    """Let a worker take up all that is due."""
    consumer = world.consumer()
    async with consumer.running():
        await world.rest(consumer)


async def replayed(world: World, *, per_second: float = 10, before: float = 1e6) -> Replays:
    """Replay all, with the time turned as far as the round sleeps."""
    moment = world.time.now() + timedelta(seconds=before)
    found: list[Replays] = []

    async def round_of_replays() -> None:
        found.append(
            await replay_all([world.letters], time=world.time, before=moment, destination=None, per_second=per_second)
        )

    async with create_task_group() as tasks:
        tasks.start_soon(round_of_replays)
        while not found:
            await steps()
            if not found:
                world.time.skip()
    return found[0]


async def test_every_letter_is_replayed_once_and_no_faster_than_allowed() -> None:
    """Twenty letters at ten a second take two seconds on the host's clock."""
    async with worlds() as world:
        wanted = await burdened(world, 20)
        start = world.time.monotonic()
        assert await replayed(world) == Replays(replayed=20)
        assert round(world.time.monotonic() - start, 3) == 2.0
        await taken_up(world)
        assert Counter(await world.shop.ids()) == Counter(wanted)
        assert await world.letters.list() == ()


async def test_letters_that_are_younger_are_left() -> None:
    """What was written after `before` waits for another round."""
    async with worlds() as world:
        await burdened(world, 4)
        assert await replayed(world, before=-2.5) == Replays(replayed=2)
        assert len(await world.letters.list()) == 2


async def test_a_letter_that_fails_again_is_not_taken_twice() -> None:
    """It is a younger letter: a round over letters that all fail again still ends."""
    async with worlds() as world:
        await burdened(world, 3)

        async def handle(payload: dict[str, Any], envelope: Envelope) -> object:
            return "dead_letter"

        world.shop.handler = handle
        moment = world.time.now()
        consumer = world.consumer()
        world.time.turn(timedelta(seconds=1))
        async with consumer.running():
            for _ in range(2):  # beginning again with the same moment finds nothing
                await replay_all([world.letters], time=world.time, before=moment, destination=None, per_second=inf)
                await world.rest(consumer)
        assert len(world.shop.begun) == 6
        assert len(await world.letters.list()) == 3


async def test_an_interrupted_round_goes_on_where_it_was() -> None:
    """What was replayed is closed for good; the next round takes the others, once."""
    async with worlds() as world:
        wanted = await burdened(world, 20)
        with CancelScope() as scope:

            async def stop() -> None:
                await steps(5)
                scope.cancel()

            async with create_task_group() as tasks:
                tasks.start_soon(stop)
                await replay_all(
                    [world.letters], time=world.time, before=world.time.now(), destination=None, per_second=1
                )
        left = len(await world.letters.list())
        assert 0 < left < 20
        assert await replayed(world) == Replays(replayed=left)
        await taken_up(world)
        assert Counter(await world.shop.ids()) == Counter(wanted)


@pytest.mark.parametrize("per_second", [0, -1.0, nan])
async def test_a_rate_that_is_none_is_refused_before_anything_is_replayed(per_second: float) -> None:
    """A letter would be closed already when the rate is first asked for."""
    async with worlds() as world:
        await burdened(world, 1)
        with pytest.raises(ValueError, match="Pass more than 0"):
            await replay_all(
                [world.letters], time=world.time, before=world.time.now(), destination=None, per_second=per_second
            )
        assert len(await world.letters.list()) == 1
