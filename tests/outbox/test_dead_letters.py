"""Dead letters as an operator handles them."""

from __future__ import annotations

import pytest

from effect_runtime.errors import DeadLetterClosed, DeadLetterUnknown, DestinationUnavailable, MessageRejected
from effect_runtime.integration import Envelope, Message, encode_message
from effect_runtime.outbox import DISCARDED, ConsumerCounts, DeadLetters
from tests.outbox.world import QUICK, event, numbered, until, worlds

pytestmark = pytest.mark.anyio


async def test_letters_are_listed_oldest_first_and_by_state() -> None:
    """Closed ones are listed on demand only."""
    async with worlds() as world:
        consumer = world.consumer()
        for number in range(3):
            await consumer.receive(world.shop.id, Message(body=str(number).encode()))
        first, second, third = await world.letters.list()
        assert [letter.body for letter in (first, second, third)] == [b"0", b"1", b"2"]
        await world.letters.discard(second.id)
        assert [letter.id for letter in await world.letters.list()] == [first.id, third.id]
        assert [letter.id for letter in await world.letters.list(state="discarded")] == [second.id]
        assert len(await world.letters.list(state=None)) == 3
        assert len(await world.letters.list(limit=1)) == 1
        assert (await world.letters.get(second.id)).state == "discarded"


async def test_a_letter_is_closed_once() -> None:
    """The second word is refused with what the first one was."""
    async with worlds() as world:
        consumer = world.consumer()
        await consumer.receive(world.shop.id, Message(body=b"x"))
        (letter,) = await world.letters.list()
        await world.letters.discard(letter.id)
        with pytest.raises(DeadLetterClosed, match="was discarded already"):
            await world.letters.replay(letter.id)


async def test_an_unknown_letter_is_refused() -> None:
    """By every operation."""
    async with worlds() as world:
        for operation in (world.letters.get, world.letters.replay, world.letters.discard):
            with pytest.raises(DeadLetterUnknown, match="No dead letter has the id 'nobody'"):
                await operation("nobody")


async def test_a_replay_wakes_whoever_will_take_it_up() -> None:
    """It does not wait for a poll."""
    async with worlds() as world:
        consumer = world.consumer()
        await consumer.receive(world.shop.id, Message(body=b"x"))
        (letter,) = await world.letters.list()
        rings = world.target_wake.rings
        await world.letters.replay(letter.id)
        assert world.target_wake.rings == rings + 1


async def test_discarding_a_letter_of_the_relay_lets_its_key_go_on_at_the_subscriptions() -> None:
    """An event that nobody handles takes the number, so that nobody waits for it."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id == "dune-2" and envelope.type != DISCARDED:
                raise MessageRejected(destination, reason="too large")

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        letters = DeadLetters(world.source, world.wake, relay.transport)
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2), event(3))
            await until(world.time, lambda: relay.counts.quarantined == 1)
            await letters.discard((await letters.list())[0].id)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["dune-1", "dune-3"]
        assert consumer.counts == ConsumerCounts(applied=2, unhandled=1)
        assert await letters.list() == ()


async def test_a_discard_that_nobody_hears_changes_nothing() -> None:
    """The letter stays open while its destination is away."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.type == DISCARDED:
                raise DestinationUnavailable(destination, reason="no route to host")
            raise MessageRejected(destination, reason="too large")

        world.wire.fault = fault
        relay = world.relay(policy=QUICK)
        letters = DeadLetters(world.source, world.wake, relay.transport)
        async with relay.running():
            await world.publish(event(1))
            await until(world.time, lambda: relay.counts.quarantined == 1)
        (letter,) = await letters.list()
        with pytest.raises(DestinationUnavailable):
            await letters.discard(letter.id)
        assert await letters.list() == (letter,)


async def test_without_a_wire_a_discard_leaves_a_gap_that_an_operator_closes() -> None:
    """The number will never arrive: health reports it and `close_gap` lets the key go on."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id == "dune-2":
                raise MessageRejected(destination, reason="too large")

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        letters = DeadLetters(world.source, world.wake)
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2), event(3))
            await until(world.time, lambda: relay.counts.quarantined == 1)
            await letters.discard((await letters.list())[0].id)
            await world.rest(relay, consumer)
            assert await world.shop.ids() == ["dune-1"]
            assert await consumer.close_gap(world.shop.id, "dune")
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["dune-1", "dune-3"]


async def test_a_letter_keeps_a_bounded_history() -> None:
    """An event that fails for ever does not grow its row for ever."""
    async with worlds() as world:

        async def handler(event: object, envelope: Envelope) -> object:
            raise RuntimeError("x" * 10_000)

        world.shop.handler = handler
        consumer = world.consumer(world.shop.inlet(schedule=QUICK.retries.times(40)))
        async with consumer.running():
            await consumer.receive(world.shop.id, encode_message(numbered(1)))
            await until(world.time, lambda: consumer.counts.buried == 1)
        (letter,) = await world.letters.list()
        assert (letter.attempts, len(letter.history)) == (41, 20)
        assert max(map(len, letter.history)) <= 2_000


async def test_a_replay_out_of_order_that_fails_again_blocks_nothing() -> None:
    """A skipped event heads no key: had its replay blocked it, the key's next number would pass for the dead letter."""
    async with worlds() as world:

        async def handler(event: object, envelope: Envelope) -> object:
            return "dead_letter" if envelope.sequence == 1 else None

        world.shop.handler = handler
        await world.consumer(world.shop.inlet(poison="skip")).receive(world.shop.id, encode_message(numbered(1)))
        (skipped,) = await world.letters.list()
        consumer = world.consumer(world.shop.inlet(poison="block"))
        async with consumer.running():
            await world.letters.replay(skipped.id)
            await world.rest(consumer)
            await consumer.receive(world.shop.id, encode_message(numbered(2)))
            await world.rest(consumer)
        (again,) = await world.letters.list()
        assert (again.sequence, again.blocks) == (1, False)
        assert await world.shop.ids() == ["dune-2"]


async def test_a_discarded_number_passes_to_subscribers_of_a_tenant() -> None:
    """The event that stands in for it belongs to nobody, and is no dead letter itself."""
    async with worlds() as world:
        consumer = world.consumer(world.shop.inlet(tenant="north"))
        relay = world.relay(policy=QUICK)

        async def reject(destination: str, envelope: Envelope) -> None:
            if envelope.type != DISCARDED and envelope.sequence == 1:
                raise MessageRejected(destination, reason="odd")

        world.wire.fault = reject
        async with world.running(relay, consumer):
            await world.publish(event(1, tenant="north"), event(2, tenant="north"))
            await until(world.time, lambda: relay.counts.quarantined == 1)
            letters = DeadLetters(world.source, world.wake, world.wire)
            await until(world.time, lambda: relay.is_calm)
            (letter,) = await letters.list()
            await letters.discard(letter.id)
            await until(world.time, lambda: consumer.counts.applied == 1)
        assert consumer.counts == ConsumerCounts(applied=1, unhandled=1)
        assert await world.letters.list() == ()


async def test_a_replay_that_failed_may_be_replayed_in_the_same_moment() -> None:
    """Two replays of one event are two, on a clock that stands still, or was turned back, too."""
    async with worlds() as world:

        async def handler(event: object, envelope: Envelope) -> object:
            return "dead_letter" if len(world.shop.begun) < 4 else None

        world.shop.handler = handler
        consumer = world.consumer()
        async with consumer.running():
            await consumer.receive(world.shop.id, encode_message(event(1, key=None)))
            for _ in range(3):
                (letter,) = await world.letters.list()
                await world.letters.replay(letter.id)
                await world.rest(consumer)
        assert await world.shop.ids() == ["None-1"]
        assert consumer.counts == ConsumerCounts(applied=1, buried=3)
