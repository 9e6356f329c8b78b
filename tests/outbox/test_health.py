"""What keeps events from arriving is told in one value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from effect_runtime.effect import Schedule
from effect_runtime.errors import DestinationUnavailable, PartitionPaused
from effect_runtime.integration import Envelope, encode_message
from effect_runtime.outbox import Blocked, Consumer, Gap, Health, Partition, Relay, health
from tests.outbox.world import START, World, event, numbered, until, worlds

pytestmark = pytest.mark.anyio
QUARTERLY = Schedule.fixed(timedelta(minutes=15)).times(2)
DUNE = Partition("catalog.lending-events", "lending", "dune")


async def look(world: World, store: Any, relay: Relay | None = None, consumer: Consumer | None = None) -> Health:
    """Look at one store now."""
    return await health(store, now=world.host.time.now(), relay=relay, consumer=consumer)


async def test_a_world_at_rest_is_well() -> None:
    """Nothing to report."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1))
            await world.rest(relay, consumer)
            assert await look(world, world.source, relay) == Health()
            assert await look(world, world.target, None, consumer) == Health()
            assert Health().is_well


async def test_a_stale_gap_names_the_key_and_the_missing_number() -> None:
    """Only after its deadline, and not once the number has come."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            return "retry"

        world.shop.handler = handler
        slow = world.shop.inlet(gap_deadline=timedelta(minutes=1), schedule=QUARTERLY)
        consumer = world.consumer(slow)
        await consumer.receive(world.shop.id, encode_message(numbered(3)))
        assert (await look(world, world.target, None, consumer)).gaps == ()
        world.time.turn(timedelta(minutes=2))
        report = await look(world, world.target, None, consumer)
        assert report == Health(gaps=(Gap(DUNE, 1, START),))
        assert (report.oldest_gap, report.is_well) == (Gap(DUNE, 1, START), False)
        await consumer.receive(world.shop.id, encode_message(numbered(2)))
        await consumer.receive(world.shop.id, encode_message(numbered(1)))
        assert (await look(world, world.target, None, consumer)).gaps == ()


async def test_paused_and_blocked_keys_are_named() -> None:
    """With the letter to decide about."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            return "dead_letter"

        world.shop.handler = handler
        consumer = world.consumer(world.shop.inlet(parked_limit=1))
        await consumer.receive(world.shop.id, encode_message(numbered(1)))
        await consumer.receive(world.shop.id, encode_message(numbered(2)))
        with pytest.raises(PartitionPaused):
            await consumer.receive(world.shop.id, encode_message(numbered(3)))
        (letter,) = await world.letters.list()
        blocked = Blocked(DUNE.subscription, "lending", "dune", letter.id)
        expected = Health(paused=(DUNE,), blocked=(blocked,), dead_letters=1)
        assert await look(world, world.target, None, consumer) == expected


async def test_open_breakers_and_the_backlog_are_told() -> None:
    """How much waits, for how long, and why."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            raise DestinationUnavailable(destination, reason="no route to host")

        world.wire.fault = fault
        relay = world.relay()
        async with relay.running():
            await world.publish(event(1), event(2), event(1, key="b"))
            await until(world.time, lambda: relay.counts.unavailable > 1)
            report = await look(world, world.source, relay)
            assert report.open_breakers == {world.shop.id: "no route to host"}
            assert report.backlog == 3
            assert not report.is_well
