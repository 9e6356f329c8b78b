"""The four promises about integration events, each by its own words, on whole deliveries.

Random histories are in `test_histories`; these show each promise where it is easiest to see.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from anyio import Event, create_task_group

from effect_runtime.errors import StoreDown
from effect_runtime.integration import Envelope, Message, encode_message
from effect_runtime.outbox import Consumer, ConsumerCounts, DeadLetters, Route
from tests.outbox.world import QUICK, World, commit, event, numbered, until, worlds

pytestmark = pytest.mark.anyio


def breaking(*numbers: int) -> tuple[set[int], Any]:
    """Return a set of numbers that break, to be changed by the test, and the handler that they break."""
    broken = set(numbers)

    async def handler(event: dict[str, Any], envelope: Envelope) -> object:
        if event["number"] in broken:
            raise RuntimeError(f"number {event['number']} breaks")
        return None

    return broken, handler


async def test_promise_1_nothing_committed_is_lost() -> None:
    """An event whose relay dies before, during or after its publish is delivered by the next one."""
    for moment in ("before", "during", "after"):
        async with worlds() as world:
            reached = Event()

            async def stop(destination: str, envelope: Envelope, reached: Event = reached) -> None:
                reached.set()
                await Event().wait()

            consumer = world.consumer()
            await commit(world.source, event(1))
            if moment != "before":
                world.wire.fault, world.wire.after = (stop, None) if moment == "during" else (None, stop)
                async with create_task_group() as group:
                    group.start_soon(run_relay, world, consumer)
                    await reached.wait()
                    group.cancel_scope.cancel()
                world.wire.fault = world.wire.after = None
            relay = world.relay()
            async with world.running(relay, consumer):
                await until(world.time, lambda relay=relay: relay.counts.accepted == 1)  # type: ignore[misc]  # mypy cannot infer a default
            assert await world.shop.ids() == ["dune-1"]
            assert consumer.counts.duplicates == (1 if moment == "after" else 0)


async def run_relay(world: World, consumer: Any) -> None:
    """Relay until cancelled."""
    async with world.running(world.relay(), consumer):
        await Event().wait()


async def test_promise_1_nothing_uncommitted_is_sent() -> None:
    """A unit that ends without a commit leaves no lane."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            with pytest.raises(LookupError):
                async with world.source.unit() as unit:
                    await unit.begin()
                    raise LookupError
            world.wake.ring()
            await world.rest(relay, consumer)
        assert world.wire.published == []


async def test_promise_1_each_subscriptions_effect_happens_once() -> None:
    """A duplicate on the wire, at any time, is absorbed and counted."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2), event(1, key=None))
            await until(world.time, lambda: consumer.counts.applied == 3)
            for envelope in (numbered(1), numbered(2), event(1, key=None)):
                async with create_task_group() as group:
                    for _ in range(10):
                        group.start_soon(consumer.receive, world.shop.id, encode_message(envelope))
        assert sorted(await world.shop.ids()) == ["None-1", "dune-1", "dune-2"]
        assert consumer.counts == ConsumerCounts(applied=3, duplicates=30)


async def test_promise_1_one_subscription_failing_never_runs_another_again() -> None:
    """Inbox, retries and dead letters are each subscription's own."""
    async with worlds() as world:
        other = type(world.shop)(world.target, world.host, "catalog.statistics")
        _, world.shop.handler = breaking(1)
        consumer = world.consumer(world.shop.inlet(), other.inlet())
        async with consumer.running():
            for id in (world.shop.id, other.id):
                await consumer.receive(id, encode_message(numbered(1)))
            await until(world.time, lambda: consumer.counts.buried == 1)
        assert (world.shop.begun, other.begun) == (["dune-1"] * 3, ["dune-1"])
        assert await other.ids() == ["dune-1"]
        assert [letter.destination for letter in await world.letters.list()] == [world.shop.id]


async def test_promise_2_a_key_is_applied_in_the_order_of_its_commits() -> None:
    """Through retries, two relays and a window over many keys."""
    async with worlds() as world:
        failed: set[str] = set()

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            if event["number"] % 7 == 3 and envelope.id not in failed:
                failed.add(envelope.id)
                return "retry"
            return None

        world.shop.handler = handler
        first, second, consumer = world.relay(), world.relay(), world.consumer()
        async with world.running(first, consumer), second.running():
            for number in range(1, 21):
                await world.publish(*[event(number, key=f"k{key}") for key in range(10)])
            await until(world.time, lambda: consumer.counts.applied == 200)
        effects = await world.shop.effects()
        for key in range(10):
            assert [number for found, number, _ in effects if found == f"k{key}"] == list(range(1, 21))


async def test_promise_2_a_gap_is_reported_and_never_dead_lettered() -> None:
    """What came early waits for as long as it takes."""
    async with worlds() as world:
        consumer = world.consumer()
        async with consumer.running():
            await consumer.receive(world.shop.id, encode_message(numbered(2)))
            await until(world.time, lambda: world.time.elapsed > 900)
            assert await world.letters.list() == ()
            assert len(await world.target.stale_gaps(timedelta(minutes=10))) == 1
            await consumer.receive(world.shop.id, encode_message(numbered(1)))
            await world.rest(consumer)
        assert await world.shop.ids() == ["dune-1", "dune-2"]


@pytest.mark.parametrize(
    ("start", "expected"), [("now", ["dune-2", "dune-3"]), ("earliest", ["dune-1", "dune-2", "dune-3"])]
)
async def test_promise_2_a_new_subscription_starts_where_it_says(start: Any, expected: list[str]) -> None:
    """`now` begins with the next event of each key, `earliest` with its first."""
    async with worlds() as world:
        late = type(world.shop)(world.target, world.host, "late")
        world.shop = late
        await commit(world.source, event(1))
        await world.source.register((Route("lending", "late", earliest=start == "earliest"),))
        relay, consumer = world.relay(), world.consumer(late.inlet(start=start))
        async with world.running(relay, consumer):
            await world.publish(event(2), event(3))
            await world.rest(relay, consumer)
        assert await late.ids() == expected


async def test_promise_3_block_parks_successors_and_a_replay_releases_them_in_order() -> None:
    """Successors are durably parked and acknowledged; the relay is done with them."""
    async with worlds() as world:
        broken, world.shop.handler = breaking(2)
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(*[event(number) for number in range(1, 6)])
            await until(world.time, lambda: consumer.counts.buried == 1)
            await world.rest(relay, consumer)
            assert await world.shop.ids() == ["dune-1"]
            assert await world.source.backlog((world.shop.id,), limit=9) == 0
            broken.clear()
            (letter,) = await world.letters.list()
            await world.letters.replay(letter.id)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == [f"dune-{number}" for number in range(1, 6)]
        assert consumer.counts.duplicates == 0


async def test_promise_3_discarding_the_head_releases_its_successors_in_order() -> None:
    """The head is given up, the others are not."""
    async with worlds() as world:
        _, world.shop.handler = breaking(2)
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(*[event(number) for number in range(1, 6)])
            await until(world.time, lambda: consumer.counts.buried == 1)
            (letter,) = await world.letters.list()
            await world.letters.discard(letter.id)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["dune-1", "dune-3", "dune-4", "dune-5"]


async def test_promise_3_a_replay_that_fails_blocks_again() -> None:
    """The key waits for the new letter, and nothing jumps the queue."""
    async with worlds() as world:
        broken, world.shop.handler = breaking(1)
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2))
            await until(world.time, lambda: consumer.counts.buried == 1)
            await world.letters.replay((await world.letters.list())[0].id)
            await until(world.time, lambda: consumer.counts.buried == 2)
            await world.rest(relay, consumer)
            assert await world.shop.ids() == []
            broken.clear()
            (letter,) = await world.letters.list()
            await world.letters.replay(letter.id)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["dune-1", "dune-2"]


async def test_promise_3_a_skipped_event_is_replayed_once_and_out_of_order() -> None:
    """Its key went on without it; twins of the replay have one effect."""
    async with worlds() as world:
        broken, world.shop.handler = breaking(1)
        inlet = world.shop.inlet(poison="skip")
        relay, consumer, twin = world.relay(), world.consumer(inlet), world.consumer(inlet)
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2))
            await until(world.time, lambda: consumer.counts.buried == 1)
            await world.rest(relay, consumer)
            broken.clear()
            (letter,) = await world.letters.list()
            assert letter.blocks is False
        await world.letters.replay(letter.id)
        (row,) = await world.target.claim_waiting(
            owner="x", limit=9, lease=timedelta(seconds=9), subscriptions=(world.shop.id,)
        )
        assert row.replayed is True
        await consumer.take_up(row)
        await twin.take_up(row)
        assert await world.shop.ids() == ["dune-2", "dune-1"]
        assert twin.counts == ConsumerCounts(duplicates=1)


async def test_promise_3_a_twin_that_still_holds_a_replayed_head_changes_nothing() -> None:
    """A worker whose lease ended finds the replay done, not an event that its key had skipped."""
    async with worlds() as world:
        broken, world.shop.handler = breaking(1)
        consumer, twin = world.consumer(), world.consumer()
        async with consumer.running():
            await consumer.receive(world.shop.id, encode_message(numbered(1)))
            await until(world.time, lambda: consumer.counts.buried == 1)
        broken.clear()
        await world.letters.replay((await world.letters.list())[0].id)
        (row,) = await world.target.claim_waiting(
            owner="x", limit=9, lease=timedelta(seconds=9), subscriptions=(world.shop.id,)
        )
        for worker in (consumer, twin, twin):
            await worker.take_up(row)
        assert await world.shop.ids() == ["dune-1"]
        assert twin.counts == ConsumerCounts(duplicates=2)


async def test_promise_3_a_replay_of_unreadable_bytes_makes_a_new_letter() -> None:
    """They are still unreadable, and still not lost."""
    async with worlds() as world:
        consumer = world.consumer()
        async with consumer.running():
            await consumer.receive(world.shop.id, Message(body=b"{"))
            for count in (2, 3):
                world.time.turn(timedelta(seconds=1))
                (letter,) = await world.letters.list()
                await world.letters.replay(letter.id)
                await until(world.time, lambda count=count: consumer.counts.buried == count)  # type: ignore[misc]  # mypy cannot infer a default
        (letter,) = await world.letters.list()
        assert (letter.body, consumer.counts.buried) == (b"{", 3)


async def test_promise_3_poison_amid_healthy_events_delays_none_of_them() -> None:
    """One bad event among many keys: the others have arrived while it still waits for its last attempt."""
    async with worlds() as world:
        _, world.shop.handler = breaking(-1)
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(-1, key="poison"), *[event(1, key=f"k{key}") for key in range(500)])
            await until(world.time, lambda: consumer.counts.applied == 500)
            assert world.time.elapsed < 1.0
            await until(world.time, lambda: consumer.counts.buried == 1)


async def test_promise_4_destination_trouble_spends_no_attempt() -> None:
    """Long trouble of the subscriber's store makes no dead letter, on either side."""
    async with worlds() as world:
        down = True

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            if down:
                raise StoreDown("catalog.db", reason="the disk is full")
            return None

        world.shop.handler = handler
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2))
            await until(world.time, lambda: world.time.elapsed > 600)
            assert (await world.letters.list(), await DeadLetters(world.source, world.wake).list()) == ((), ())
            down = False
            await until(world.time, lambda: consumer.counts.applied == 2)
        assert consumer.counts == ConsumerCounts(applied=2)
        assert relay.counts.unavailable > 10


async def test_promise_4_a_failed_write_of_a_dead_letter_loses_nothing() -> None:
    """The message is not acknowledged: it comes again, and the letter is written then."""
    async with worlds() as world:
        _, world.shop.handler = breaking(1)
        broken_store = NoLetters(world.target)
        inlet = world.shop.inlet(schedule=QUICK.retries.times(0))
        consumer = Consumer(broken_store, (inlet,), host=world.host, wake=world.target_wake)
        relay = world.relay(policy=QUICK)
        async with world.running(relay, consumer):
            await world.publish(event(1))
            await until(world.time, lambda: relay.counts.unavailable > 2)
            assert await world.letters.list() == ()
            assert await world.source.backlog((world.shop.id,), limit=9) == 1
            broken_store.down = False
            await until(world.time, lambda: consumer.counts.buried == 1)
            await world.rest(relay, consumer)
        assert [letter.event for letter in await world.letters.list()] == ["dune-1"]
        assert await world.source.backlog((world.shop.id,), limit=9) == 0


class NoLetters:
    """A store that opens no unit for anything but handlers, while it is down."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.down = True
        self.claim_waiting, self.next_waiting = inner.claim_waiting, inner.next_waiting
        self.stale_gaps, self.version = inner.stale_gaps, inner.version

    def unit(self, *, alone: bool = False) -> Any:
        if self.down:
            raise StoreDown("catalog.db", reason="the disk is full")
        return self._inner.unit(alone=alone)
