"""How a relay borrows, publishes, settles and gives up."""

from __future__ import annotations

from asyncio import CancelledError
from datetime import timedelta

import pytest
from anyio import Event, create_task_group
from anyio.lowlevel import checkpoint

from effect_runtime.errors import DestinationUnavailable, MessageRejected, PartitionPaused, StoreDown
from effect_runtime.integration import Envelope
from effect_runtime.outbox import (
    BreakerState,
    DeadLetters,
    OutboxInterpreter,
    Pace,
    Relay,
    RelayCounts,
    RelayPolicy,
    Route,
    Settlement,
)
from tests.outbox.world import QUICK, TOPIC, World, commit, event, steps, until, worlds

pytestmark = pytest.mark.anyio


async def test_a_commit_wakes_the_relay_at_once() -> None:
    """No time passes between the commit and the subscriber's own."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.rest(relay, consumer)
            before = world.time.elapsed
            events = await commit(world.source, event(1))
            await OutboxInterpreter(world.wake).committed(events)
            await steps(200)
            assert await world.shop.ids() == ["dune-1"]
            assert world.time.elapsed == before


async def test_a_commit_of_another_process_is_found_by_polling() -> None:
    """Nobody rings; the store's version tells."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.rest(relay, consumer)
            before = world.time.elapsed
            await commit(world.source, event(1))
            await until(world.time, lambda: consumer.counts.applied == 1)
            assert world.wake.rings == 0
            assert world.time.elapsed - before <= 0.5


async def test_the_next_event_of_a_key_waits_for_the_acceptance_of_the_one_before() -> None:
    """Stop and wait within a key, while other keys go on."""
    async with worlds() as world:
        gate, held = Event(), ["a-1"]

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id in held:
                await gate.wait()

        world.wire.fault = fault
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(*[event(n, key=key) for n in (1, 2) for key in ("a", "b")])
            await until(world.time, lambda: consumer.counts.applied == 2)
            assert sorted(world.wire.published) == [(world.shop.id, each) for each in ("a-1", "b-1", "b-2")]
            gate.set()
            await world.rest(relay, consumer)
        assert [id for id in await world.shop.ids() if id.startswith("a")] == ["a-1", "a-2"]


async def test_destination_trouble_opens_the_breaker_and_spends_no_attempt() -> None:
    """One lane tries after each wait; when it comes through, everything does."""
    async with worlds() as world:
        down = True

        async def fault(destination: str, envelope: Envelope) -> None:
            if down:
                raise DestinationUnavailable(destination, reason="no route to host")

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(*[event(1, key=f"k{n}") for n in range(20)])
            await until(world.time, lambda: world.time.elapsed > 60)
            breaker = relay.breakers[world.shop.id]
            assert breaker.state is not BreakerState.CLOSED
            assert breaker.reason == "no route to host"
            assert relay.counts.published <= 20 + 20  # the first window, then one probe for each wait
            assert await world.source.dead_letters() == ()
            down = False
            await until(world.time, lambda: consumer.counts.applied == 20)
            assert relay.breakers[world.shop.id].state is BreakerState.CLOSED
        assert await world.source.backlog((world.shop.id,), limit=99) == 0


async def test_trouble_of_one_destination_delays_no_other() -> None:
    """Each destination has its own loop and breaker."""
    async with worlds() as world:
        await world.source.register((Route(TOPIC, "black-hole"),))

        async def fault(destination: str, envelope: Envelope) -> None:
            if destination == "black-hole":
                await Event().wait()

        world.wire.fault = fault
        destinations = ("black-hole", world.shop.id)
        relay = Relay(world.source, world.wire, destinations, host=world.host, wake=world.wake, pace=Pace(drain=QUIET))
        consumer = world.consumer()
        async with world.running(relay, consumer):
            await world.publish(*[event(n, key=f"k{n}") for n in range(100)])
            await until(world.time, lambda: consumer.counts.applied == 100)
            assert relay.breakers["black-hole"].state is BreakerState.CLOSED


QUIET = timedelta(milliseconds=1)


async def test_a_publish_without_an_answer_is_destination_trouble() -> None:
    """A half-open connection ends at the deadline of a publish."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            await Event().wait()

        world.wire.fault = fault
        relay = world.relay(policy=RelayPolicy(publish_within=timedelta(milliseconds=1)))
        async with relay.running():
            await world.publish(event(1))
            await until(world.time, lambda: relay.counts.unavailable >= 1)
        assert relay.breakers[world.shop.id].reason == "no answer within 0.0 s"
        assert await world.source.dead_letters() == ()


async def test_a_rejected_message_is_tried_again_and_then_quarantined() -> None:
    """Its key is blocked, other keys flow, and a replay releases the key in order."""
    async with worlds() as world:
        poison = ["a-1"]

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id in poison:
                raise MessageRejected(destination, reason="too large", event=envelope.id)

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        letters = DeadLetters(world.source, world.wake)
        async with world.running(relay, consumer):
            await world.publish(*[event(n, key=key) for n in (1, 2, 3) for key in ("a", "b")])
            await until(world.time, lambda: relay.counts.quarantined == 1)
            await world.rest(relay, consumer)
            (letter,) = await letters.list()
            assert await world.shop.ids() == ["b-1", "b-2", "b-3"]
            assert (letter.side, letter.event, letter.attempts, letter.blocks) == ("outbox", "a-1", 3, True)
            assert len(letter.history) == 3
            assert "too large" in letter.cause
            poison.clear()
            await letters.replay(letter.id)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["b-1", "b-2", "b-3", "a-1", "a-2", "a-3"]
        assert relay.counts == RelayCounts(published=9, accepted=6, rejected=3, retried=2, quarantined=1)


async def test_an_adapters_defect_is_bounded_by_attempts() -> None:
    """What is neither trouble of the destination nor a rejection does not stop the relay."""
    async with worlds() as world:

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.key == "a":
                raise KeyError("a broken adapter")

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1, key="a"), event(1, key="b"))
            await until(world.time, lambda: relay.counts.quarantined == 1)
        (letter,) = await world.source.dead_letters()
        assert await world.shop.ids() == ["b-1"]
        assert "a broken adapter" in letter.cause


async def test_a_paused_key_waits_without_attempts_and_opens_no_breaker() -> None:
    """Other keys of the same destination go on."""
    async with worlds() as world:
        full = True

        async def fault(destination: str, envelope: Envelope) -> None:
            if full and envelope.key == "a":
                raise PartitionPaused(destination, topic=TOPIC, key="a", waiting=9, bound=9)

        world.wire.fault = fault
        relay, consumer = world.relay(policy=QUICK), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1, key="a"), event(1, key="b"))
            await until(world.time, lambda: relay.counts.paused > 10)
            assert relay.breakers[world.shop.id].state is BreakerState.CLOSED
            full = False
            await until(world.time, lambda: consumer.counts.applied == 2)
        assert await world.shop.ids() == ["b-1", "a-1"]
        assert await world.source.dead_letters() == ()


async def test_a_lease_that_is_about_to_end_is_not_published_on() -> None:
    """The rest of the lane is given back."""
    async with worlds() as world:

        async def after(destination: str, envelope: Envelope) -> None:
            if envelope.id == "a-1":
                world.time.turn(timedelta(seconds=10))

        async def slow(destination: str, envelope: Envelope) -> None:
            await steps()

        world.wire.fault, world.wire.after = slow, after
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1, key="a"), event(2, key="a"))
            await until(world.time, lambda: consumer.counts.applied == 2)
        assert relay.counts == RelayCounts(published=2, accepted=2)


async def test_a_relay_cancelled_at_any_await_holds_no_lease() -> None:
    """Also not on lanes that it had borrowed and not begun."""
    for awaits in range(60):
        async with worlds() as world:
            await world.publish(*[event(1, key=f"k{n}") for n in range(3)])

            async def hang(destination: str, envelope: Envelope) -> None:
                await Event().wait()

            world.wire.fault = hang
            async with create_task_group() as group:
                group.start_soon(run_for_ever, world, world.consumer())
                for _ in range(awaits):
                    await checkpoint()
                group.cancel_scope.cancel()
            assert await world.source.next_due((world.shop.id,)) == world.host.time.now()


async def test_a_stale_settlement_is_counted_and_changes_nothing() -> None:
    """A relay that slept through its lease meets the token of the next one."""
    async with worlds() as world:
        gate, arrived = Event(), Event()

        async def fault(destination: str, envelope: Envelope) -> None:
            if not arrived.is_set():
                arrived.set()
                await gate.wait()

        world.wire.fault = fault
        zombie, heir, consumer = world.relay(), world.relay(), world.consumer()
        async with world.running(zombie, consumer):
            await world.publish(event(1))
            await arrived.wait()
            world.time.turn(timedelta(seconds=10))
            async with heir.running():
                await until(world.time, lambda: heir.counts.accepted == 1)
                gate.set()
                await until(world.time, lambda: zombie.counts.stale == 1)
        assert await world.shop.ids() == ["dune-1"]
        assert consumer.counts.duplicates == 1
        assert await world.source.backlog((world.shop.id,), limit=9) == 0


async def test_two_relays_share_the_lanes_of_one_store() -> None:
    """Every event is published once while no lease ends."""
    async with worlds() as world:
        first, second, consumer = world.relay(), world.relay(), world.consumer()
        async with world.running(first, consumer), second.running():
            await world.publish(*[event(n, key=f"k{k}") for n in range(1, 6) for k in range(200)])
            await until(world.time, lambda: consumer.counts.applied == 1_000)
        assert first.counts.accepted + second.counts.accepted == 1_000
        assert min(first.counts.accepted, second.counts.accepted) > 0
        assert consumer.counts.duplicates == 0


async def test_leaving_finishes_what_is_in_flight_and_gives_leases_back() -> None:
    """The drain waits for acceptance; nothing is delivered twice by the next relay."""
    async with worlds() as world:
        gate, arrived = Event(), Event()

        async def fault(destination: str, envelope: Envelope) -> None:
            arrived.set()
            await gate.wait()

        world.wire.fault = fault
        relay, consumer = world.relay(), world.consumer()
        async with create_task_group() as group:
            async with world.running(relay, consumer):
                await world.publish(event(1), event(2), event(1, key="b"))
                await arrived.wait()
                group.start_soon(opened_later, gate)
        assert sorted(await world.shop.ids()) == ["b-1", "dune-1", "dune-2"]
        assert await world.source.next_due((world.shop.id,)) is None


async def opened_later(gate: Event) -> None:
    """Open a gate once everybody else has come to rest."""
    await steps()
    gate.set()


async def test_after_the_drain_what_is_still_in_flight_is_cancelled_and_released() -> None:
    """A lane is due at once, not after its lease."""
    async with worlds() as world:
        arrived = Event()

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id == "dune-2":
                arrived.set()
                await Event().wait()

        world.wire.fault = fault
        relay, consumer = world.relay(pace=Pace(drain=QUIET)), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2))
            await arrived.wait()
        assert await world.shop.ids() == ["dune-1"]
        assert await world.source.next_due((world.shop.id,)) == world.host.time.now()
        assert await world.source.backlog((world.shop.id,), limit=9) == 1


async def test_a_cancelled_relay_records_what_was_accepted_and_releases_the_rest() -> None:
    """Cancellation is shielded just long enough for one settlement."""
    async with worlds() as world:
        arrived = Event()

        async def fault(destination: str, envelope: Envelope) -> None:
            if envelope.id == "dune-2":
                arrived.set()
                await Event().wait()

        world.wire.fault = fault
        consumer = world.consumer()
        async with create_task_group() as group:
            group.start_soon(run_for_ever, world, consumer)
            await steps()
            await world.publish(event(1), event(2))
            await arrived.wait()
            group.cancel_scope.cancel()
        assert await world.shop.ids() == ["dune-1"]
        assert await world.source.next_due((world.shop.id,)) == world.host.time.now()
        assert await world.source.backlog((world.shop.id,), limit=9) == 1


async def run_for_ever(world: World, consumer: object) -> None:
    """Relay until cancelled."""
    async with world.running(world.relay(), consumer):  # type: ignore[arg-type]  # a consumer
        await Event().wait()


async def test_an_exception_of_the_body_is_not_wrapped() -> None:
    """Leaving by an error looks like any `async with`."""
    async with worlds() as world:
        with pytest.raises(LookupError, match="ours"):
            async with world.running(world.relay(), world.consumer()):
                raise LookupError("ours")


class FlakyStore:
    """A relay store that fails on demand."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.down: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if name not in ("claim", "settle"):
            return found

        async def call(*args: object, **kwargs: object) -> object:
            self.calls.append(name)
            if name in self.down:
                raise StoreDown("lending.db", reason="the disk is full")
            return await found(*args, **kwargs)

        return call


async def test_a_store_that_is_down_ends_nothing() -> None:
    """The relay waits, says so, and settles what it knows once the store is back."""
    async with worlds() as world:
        flaky = FlakyStore(world.source)
        world.source = flaky
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            flaky.down = {"claim"}
            await world.publish(event(1))
            await until(world.time, lambda: len(relay.trouble) == 1)
            assert relay.trouble[0].startswith("StoreDown: Store 'lending.db'")
            flaky.down = {"settle"}
            await until(world.time, lambda: flaky.calls.count("settle") >= 3)
            flaky.down = set()
            await world.rest(relay, consumer)
            assert relay.trouble == ()
        assert await world.shop.ids() == ["dune-1"]
        assert consumer.counts.duplicates == 0


async def test_a_settlement_without_a_verdict_is_not_sent_again() -> None:
    """It might count events twice: the lease ends instead, and the duplicate is absorbed."""
    async with worlds() as world:
        undecided = UndecidedStore(world.source)
        world.source = undecided
        relay, consumer = world.relay(), world.consumer()
        async with world.running(relay, consumer):
            await world.publish(event(1), event(2))
            await until(world.time, lambda: undecided.settlements >= 2)
            await world.rest(relay, consumer)
        assert await world.shop.ids() == ["dune-1", "dune-2"]
        assert consumer.counts.duplicates == 2
        assert world.time.elapsed >= 9.0


class UndecidedStore:
    """A store whose first settlement is lost on the way, without a word about it."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.settlements = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def settle(self, settlements: tuple[Settlement, ...]) -> object:
        self.settlements += 1
        if self.settlements == 1:
            raise TimeoutError("no verdict")
        return await self._inner.settle(settlements)  # type: ignore[attr-defined]  # the real store


async def test_a_wire_that_meets_a_cancelled_future_is_in_trouble() -> None:
    """A cancellation that nobody asked for must not end the relay, nor spend an attempt of a sound event."""
    async with worlds() as world:
        relay, consumer = world.relay(), world.consumer()

        async def lost(destination: str, envelope: Envelope) -> None:
            if len(world.wire.published) < 3:
                raise CancelledError

        world.wire.fault = lost
        async with world.running(relay, consumer):
            await world.publish(event(1))
            await until(world.time, lambda: relay.counts.accepted == 1)
        assert relay.counts == RelayCounts(published=3, accepted=1, unavailable=2)
        assert await world.shop.ids() == ["dune-1"]
