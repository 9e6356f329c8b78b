"""What becomes of each message that a consumer receives."""

from __future__ import annotations

from asyncio import CancelledError
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from anyio import Event, create_task_group
from attrs import evolve

from effect_runtime.effect import Died, Exit, Failed, Schedule
from effect_runtime.errors import PartitionPaused, StoreConflict, StoreDown
from effect_runtime.integration import Envelope, Message, encode_message
from effect_runtime.interpreter import Recording
from effect_runtime.outbox import Admit, Consumer, ConsumerCounts, ConsumerPolicy, Pace, Partition, Wake
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.world import Shop, World, event, numbered, turned_host, until, worlds

pytestmark = pytest.mark.anyio


async def receive(world: World, consumer: Consumer, *envelopes: Envelope) -> None:
    """Hand messages over, one after the other."""
    for envelope in envelopes:
        await consumer.receive(world.shop.id, encode_message(envelope))


def failing(*numbers: int, times: int = 1_000, failure: str | None = None) -> Any:
    """Return a handler that fails for these numbers, each so many times: by a failure value or a defect."""
    left = dict.fromkeys(numbers, times)

    async def handler(event: dict[str, Any], envelope: Envelope) -> object:
        if left.get(event["number"], 0) > 0:
            left[event["number"]] -= 1
            if failure is None:
                raise RuntimeError(f"number {event['number']} breaks")
            return failure
        return None

    return handler


async def test_events_of_a_key_are_applied_in_their_order() -> None:
    """Numbers that come early wait until the gap closes."""
    async with worlds() as world:
        consumer = world.consumer()
        async with consumer.running():
            await receive(world, consumer, numbered(2), numbered(3), numbered(1))
            await world.rest(consumer)
        assert await world.shop.ids() == ["dune-1", "dune-2", "dune-3"]
        assert consumer.counts == ConsumerCounts(applied=3, parked=2)


async def test_a_duplicate_is_absorbed_and_counted() -> None:
    """Whether it has a key or not, an event has one effect."""
    async with worlds() as world:
        consumer = world.consumer()
        await receive(world, consumer, numbered(1), numbered(1), event(5, key=None), event(5, key=None))
        assert await world.shop.ids() == ["dune-1", "None-5"]
        assert consumer.counts == ConsumerCounts(applied=2, duplicates=2)


async def test_an_event_without_a_handler_only_moves_the_mark() -> None:
    """Its successor is the next in line."""
    async with worlds() as world:
        consumer = world.consumer()
        await receive(world, consumer, numbered(1, type="lending.hold-placed"), numbered(2))
        assert await world.shop.ids() == ["dune-2"]
        assert consumer.counts == ConsumerCounts(applied=1, unhandled=1)


async def test_a_failed_event_is_tried_again_when_it_is_due() -> None:
    """The retry is a row with a due time: nobody sleeps on it, and successors wait behind it."""
    async with worlds() as world:
        world.shop.handler = failing(1, times=2)
        consumer = world.consumer()
        async with consumer.running():
            await receive(world, consumer, numbered(1), numbered(2))
            assert await world.shop.ids() == []
            await until(world.time, lambda: consumer.counts.applied == 2)
        assert await world.shop.ids() == ["dune-1", "dune-2"]
        assert world.shop.begun == ["dune-1", "dune-1", "dune-1", "dune-2"]
        assert world.time.elapsed >= 2.0
        assert consumer.counts == ConsumerCounts(applied=2, retried=2, parked=1)


async def test_a_new_key_whose_first_event_fails_keeps_its_order() -> None:
    """With `start="now"` the first number seen is the baseline also when it could not be applied at once."""
    async with worlds() as world:
        world.shop.handler = failing(7, times=1)
        consumer = world.consumer(world.shop.inlet(start="now"))
        async with consumer.running():
            await receive(world, consumer, numbered(7), numbered(8))
            await until(world.time, lambda: consumer.counts.applied == 2)
        assert await world.shop.ids() == ["dune-7", "dune-8"]


async def test_after_the_last_attempt_an_event_is_a_dead_letter_that_blocks_its_key() -> None:
    """Bytes, cause and history are kept; other keys go on."""
    async with worlds() as world:
        world.shop.handler = failing(1)
        consumer = world.consumer()
        async with consumer.running():
            await receive(world, consumer, numbered(1), numbered(2), event(9, key=None))
            await until(world.time, lambda: consumer.counts.buried == 1)
            await world.rest(consumer)
        (letter,) = await world.letters.list()
        assert await world.shop.ids() == ["None-9"]
        assert (letter.side, letter.destination, letter.topic) == ("inbox", "catalog.lending-events", "lending")
        assert (letter.event, letter.key, letter.sequence) == ("dune-1", "dune", 1)
        assert (letter.attempts, letter.blocks, letter.body) == (3, True, encode_message(numbered(1)).body)
        assert len(letter.history) == 3
        assert letter.cause.startswith("RuntimeError: number 1 breaks (")


async def test_skip_lets_the_key_go_on() -> None:
    """The mark moves past the dead letter."""
    async with worlds() as world:
        world.shop.handler = failing(1)
        consumer = world.consumer(world.shop.inlet(poison="skip"))
        async with consumer.running():
            await receive(world, consumer, numbered(1), numbered(2))
            await until(world.time, lambda: consumer.counts.applied == 1)
        (letter,) = await world.letters.list()
        assert await world.shop.ids() == ["dune-2"]
        assert letter.blocks is False


async def test_a_failure_means_what_the_subscription_maps_it_to() -> None:
    """Ignored counts as done, dead_letter gives up at once, retry follows the schedule."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            return {1: "ignore", 2: "dead_letter"}.get(event["number"])

        world.shop.handler = handler
        consumer = world.consumer(world.shop.inlet(poison="skip"))
        await receive(world, consumer, numbered(1), numbered(2), numbered(3))
        assert await world.shop.ids() == ["dune-3"]
        assert consumer.counts == ConsumerCounts(applied=1, ignored=1, buried=1)


async def test_undecodable_bytes_are_a_dead_letter_once() -> None:
    """They are never acknowledged silently, and a redelivery makes no second letter."""
    async with worlds() as world:
        consumer = world.consumer()
        for _ in range(2):
            await consumer.receive(world.shop.id, Message(body=b"\xff no envelope"))
        (letter,) = await world.letters.list()
        assert (letter.body, letter.blocks, letter.type) == (b"\xff no envelope", False, None)
        assert letter.cause.startswith("Envelope attribute 'body'")
        assert consumer.counts == ConsumerCounts(buried=1, duplicates=1)


async def test_a_bad_payload_is_a_dead_letter_when_its_turn_comes() -> None:
    """It is not tried again, it blocks its key, and it does not jump the queue."""
    async with worlds() as world:
        consumer = world.consumer()
        bad = evolve(numbered(2), data=b"{}")
        async with consumer.running():
            await receive(world, consumer, bad, numbered(3))
            assert await world.letters.list() == ()
            await receive(world, consumer, numbered(1))
            await world.rest(consumer)
        (letter,) = await world.letters.list()
        assert await world.shop.ids() == ["dune-1"]
        assert (letter.event, letter.blocks, letter.attempts) == ("dune-2", True, 1)


async def test_a_foreign_tenant_is_refused_and_its_key_goes_on() -> None:
    """The letter says whose it was."""
    async with worlds() as world:
        consumer = world.consumer(world.shop.inlet(tenant="north"))
        await receive(world, consumer, numbered(1, tenant="south"), numbered(2, tenant="north"))
        (letter,) = await world.letters.list()
        assert await world.shop.ids() == ["dune-2"]
        assert letter.cause == "Tenant 'south' came to an application of 'north'."


async def test_a_foreign_topic_is_refused_and_moves_no_mark() -> None:
    """Another topic's numbers say nothing about ours."""
    async with worlds() as world:
        consumer = world.consumer()
        await receive(world, consumer, evolve(numbered(1), id="x", topic="billing"), numbered(1))
        assert await world.shop.ids() == ["dune-1"]
        assert [letter.event for letter in await world.letters.list()] == ["x"]


async def test_at_the_bound_a_key_pauses_and_lets_the_missing_head_in() -> None:
    """The refused message is not acknowledged; other keys and the head are."""
    async with worlds() as world:
        consumer = world.consumer(world.shop.inlet(parked_limit=2))
        async with consumer.running():
            await receive(world, consumer, numbered(2), numbered(3))
            with pytest.raises(PartitionPaused) as caught:
                await receive(world, consumer, numbered(4))
            assert (caught.value.key, caught.value.waiting, caught.value.bound) == ("dune", 2, 2)
            assert consumer.paused == {Partition(world.shop.id, "lending", "dune"): 2}
            await receive(world, consumer, numbered(1), event(1, key=None))
            await world.rest(consumer)
            await receive(world, consumer, numbered(4))
        assert sorted(await world.shop.ids()) == ["None-1", "dune-1", "dune-2", "dune-3", "dune-4"]
        assert consumer.paused == {}


async def test_a_redelivery_of_an_event_that_waits_changes_nothing() -> None:
    """Its attempts and its due time stay."""
    async with worlds() as world:
        world.shop.handler = failing(1, times=2)
        consumer = world.consumer()
        await receive(world, consumer, numbered(1), numbered(1), event(1, key=None), event(1, key=None))
        assert consumer.counts == ConsumerCounts(retried=2, duplicates=2)
        assert world.shop.begun == ["dune-1", "None-1"]


async def test_a_store_that_is_down_spends_no_attempt() -> None:
    """The message is not acknowledged and nothing is written."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            raise StoreDown("catalog.db", reason="the disk is full")

        world.shop.handler = handler
        consumer = world.consumer()
        with pytest.raises(StoreDown):
            await receive(world, consumer, numbered(1))
        assert consumer.counts == ConsumerCounts()
        assert await world.target.next_waiting((world.shop.id,)) is None


async def test_a_waiting_event_survives_its_worker() -> None:
    """A worker that dies with borrowed rows leaves them to the next one, once the lease has ended."""
    async with worlds() as world:
        world.shop.handler = failing(1, times=1)
        await receive(world, world.consumer(), numbered(1))
        world.time.turn(timedelta(seconds=2))
        dead = await world.target.claim_waiting(
            owner="dead", limit=9, lease=timedelta(seconds=9), subscriptions=(world.shop.id,)
        )
        assert len(dead) == 1
        survivor = world.consumer()
        async with survivor.running():
            await until(world.time, lambda: survivor.counts.applied == 1)
        assert world.time.elapsed >= 11.0
        assert await world.shop.ids() == ["dune-1"]


async def test_twins_apply_an_event_once() -> None:
    """Two processes that take the same event up at the same time: the inbox row lets one through."""
    async with worlds() as world:
        first, second = world.consumer(), world.consumer()
        async with create_task_group() as group:
            for consumer in (first, second, first, second):
                group.start_soon(consumer.receive, world.shop.id, encode_message(numbered(1)))
        assert await world.shop.ids() == ["dune-1"]
        assert first.counts.applied + second.counts.applied == 1
        assert first.counts.duplicates + second.counts.duplicates == 3


async def test_a_handler_that_never_ends_spends_an_attempt() -> None:
    """It is cancelled and rolled back, so that the wire's own limit is not what ends it."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            await Event().wait()
            return None

        world.shop.handler = handler
        consumer = world.consumer(policy=ConsumerPolicy(handle_within=timedelta(milliseconds=1)))
        await receive(world, consumer, numbered(1))
        assert await world.shop.ids() == []
        assert consumer.counts == ConsumerCounts(retried=1)


async def test_a_cancelled_receive_leaves_nothing() -> None:
    """The message is not acknowledged, and comes again."""
    async with worlds() as world:
        reached = Event()

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            reached.set()
            await Event().wait()
            return None

        world.shop.handler = handler
        consumer = world.consumer()
        async with create_task_group() as group:
            group.start_soon(consumer.receive, world.shop.id, encode_message(numbered(1)))
            await reached.wait()
            group.cancel_scope.cancel()
        world.shop.handler = failing()
        await receive(world, consumer, numbered(1))
        assert await world.shop.ids() == ["dune-1"]
        assert consumer.counts == ConsumerCounts(applied=1)


async def test_leaving_gives_borrowed_events_back() -> None:
    """An event in hand when the drain is over is due at once for the next worker."""
    async with worlds() as world:
        world.shop.handler = failing(1, times=1)
        consumer = world.consumer(pace=Pace(drain=timedelta(milliseconds=1)))
        await receive(world, consumer, numbered(1))
        stuck = Event()

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            stuck.set()
            await Event().wait()
            return None

        world.shop.handler = handler
        async with consumer.running():
            await until(world.time, stuck.is_set)
        due = await world.target.next_waiting((world.shop.id,))
        assert due is not None
        assert due <= world.host.time.now()


async def test_an_operator_may_give_up_a_missing_number() -> None:
    """The key goes on with the first event that waits, and the missing one is a duplicate if it comes."""
    async with worlds() as world:
        consumer = world.consumer()
        async with consumer.running():
            await receive(world, consumer, numbered(1), numbered(4), numbered(5))
            assert await consumer.close_gap(world.shop.id, "dune")
            await world.rest(consumer)
            assert not await consumer.close_gap(world.shop.id, "dune")
            await receive(world, consumer, numbered(2))
        assert await world.shop.ids() == ["dune-1", "dune-4", "dune-5"]
        assert consumer.counts == ConsumerCounts(applied=3, parked=2, duplicates=1)


async def test_an_event_that_waited_for_its_store_spends_no_attempt() -> None:
    """Behind a handler that never ends, others run out of time: not tried, they are not accepted."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            await Event().wait()
            return None

        world.shop.handler = handler
        consumer = world.consumer(policy=ConsumerPolicy(handle_within=timedelta(milliseconds=50)))
        refused: list[str] = []

        async def healthy(key: str) -> None:
            try:
                await consumer.receive(world.shop.id, encode_message(numbered(1, key=key)))
            except StoreConflict:
                refused.append(key)

        async with create_task_group() as group:
            group.start_soon(consumer.receive, world.shop.id, encode_message(numbered(1)))
            await until(world.time, lambda: world.shop.begun == ["dune-1"])
            for key in ("emma", "ulysses"):
                group.start_soon(healthy, key)
        assert world.shop.begun[:1] == ["dune-1"]
        assert consumer.counts.retried + len(refused) == 3
        assert consumer.counts.retried == len(world.shop.begun)


async def test_a_handler_that_meets_a_cancelled_future_is_tried_again() -> None:
    """A cancellation that nobody asked for is a defect of the handler, and no word of the host's."""
    async with worlds() as world:

        async def handler(event: dict[str, Any], envelope: Envelope) -> object:
            if len(world.shop.begun) < 2:
                raise CancelledError
            return None

        world.shop.handler = handler
        consumer = world.consumer()
        async with consumer.running():
            await receive(world, consumer, numbered(1))
            await until(world.time, lambda: consumer.counts.applied == 1)
        assert await world.shop.ids() == ["dune-1"]
        assert consumer.counts == ConsumerCounts(applied=1, retried=1)


async def test_a_held_event_of_a_topic_that_its_subscription_left_is_a_dead_letter() -> None:
    """A subscription that keeps its id and changes its topic loses nothing of what it holds."""
    async with worlds() as world:
        world.shop.handler = failing(1, times=1)
        await receive(world, world.consumer(), numbered(1))
        consumer = world.consumer(evolve(world.shop.inlet(), topic="catalog"))
        async with consumer.running():
            await until(world.time, lambda: consumer.counts != ConsumerCounts())
        (letter,) = await world.letters.list()
        assert letter.cause == "Topic 'lending' came to a subscription of 'catalog'."
        assert consumer.counts == ConsumerCounts(buried=1)


class Mute:
    """A failure that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("nothing to show")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("no file \udcff"), "FileNotFoundError: no file \\udcff"),
        (Mute(), "<Mute: its repr raised RuntimeError>"),
    ],
)
async def test_an_error_that_no_store_can_keep_is_kept_as_far_as_it_can(
    error: object, said: str, tmp_path: Path
) -> None:
    """What an error says must not decide whether its event can be put aside."""
    host, _ = turned_host()

    async def deliver(event: Any, envelope: Envelope, *, admit: Admit, recording: Recording) -> Exit[Any, Any]:
        return Died(error) if isinstance(error, Exception) else Failed(error)

    async with SqliteStore(tmp_path / "target.db").opened(host) as store:
        shop = Shop(store, host)
        consumer = Consumer(
            store, (evolve(shop.inlet(schedule=Schedule().times(0)), deliver=deliver),), host=host, wake=Wake()
        )
        await consumer.receive(shop.id, encode_message(numbered(1)))
        (letter,) = await store.dead_letters()
    assert letter.cause == said
