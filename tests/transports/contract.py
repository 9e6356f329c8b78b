"""What every transport must do, held to its own features.

A transport's test module defines `opened()` (a running transport) and inherits these tests. Each cites its duty.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
from anyio import Event, create_task_group
from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.errors import DestinationUnavailable, MessageRejected, PartitionPaused
from effect_runtime.integration import Features, Message, Receive, Transport

TOPIC = "lending"


@define
class Received:
    """A subscription that keeps what it accepted, and fails as often as it is told."""

    bodies: list[bytes] = field(factory=list)
    begun: list[bytes] = field(factory=list)
    failures: list[Exception] = field(factory=list)
    gate: Event | None = None

    async def __call__(self, message: Message) -> None:
        self.begun.append(message.body)
        if self.gate is not None:
            await self.gate.wait()
        await checkpoint()
        if self.failures:
            raise self.failures.pop()
        self.bodies.append(message.body)


def message(number: int, key: str | None = "dune") -> Message:
    """Return a message that says its number."""
    return Message(body=str(number).encode(), key=key)


class TransportContract:
    """The duties of `integration.Transport`, numbered as in its docstring."""

    features: Features

    def opened(self) -> AbstractAsyncContextManager[Transport]:
        """Return a transport that is running."""
        raise AssertionError("a transport's own tests give it")

    def beside(self, transport: Transport) -> AbstractAsyncContextManager[Transport]:
        """Return the same wire as another process has it."""
        raise pytest.skip.Exception("this wire is inside one process, and nobody else has it")

    async def pause(self) -> None:
        """Let others go on. A wire on a clock of its own lets time pass."""
        await checkpoint()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a wire that accepts before anybody has received."""
        while not holds():
            await self.pause()

    @asynccontextmanager
    async def listened(self, received: Received) -> AsyncIterator[tuple[Transport, str]]:
        """Give a transport and the destination of one subscription that listens."""
        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, received):
                yield transport, destination

    async def test_it_is_what_it_says(self) -> None:
        """The features that the suite goes by are the transport's own."""
        async with self.opened() as transport:
            assert transport.features == self.features

    async def test_a_published_message_arrives_unchanged(self) -> None:
        """Duty 1: body, key and headers are the message's own."""
        seen: list[Message] = []

        async def receive(received: Message) -> None:
            seen.append(received)

        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, receive):
                sent = Message(body=b'{"a": 1}', headers={"content-type": "application/cloudevents+json"}, key="dune")
                await transport.publish(destination, sent)
                await self.until(lambda: bool(seen))
        assert [(each.body, dict(each.headers), each.key) for each in seen] == [(sent.body, dict(sent.headers), "dune")]

    async def test_publish_returns_after_acceptance_and_not_before(self) -> None:
        """Duty 1: while the destination has not accepted, the publisher waits."""
        if self.features.durable:
            pytest.skip("a durable wire has accepted what it keeps, before anybody receives it")
        received = Received(gate=Event())
        done: list[str] = []

        async def publish(transport: Transport, destination: str) -> None:
            await transport.publish(destination, message(1))
            done.append("published")

        async with self.listened(received) as (transport, destination), create_task_group() as group:
            group.start_soon(publish, transport, destination)
            while not received.begun:
                await checkpoint()
            for _ in range(20):
                await checkpoint()
            assert done == []
            assert received.gate is not None
            received.gate.set()
        assert (done, received.bodies) == (["published"], [b"1"])

    async def test_a_destination_that_nobody_serves_is_unavailable(self) -> None:
        """Duty 2: a commit is never marked as sent because nobody was there."""
        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("nobody",))
            with pytest.raises(DestinationUnavailable) as caught:
                await transport.publish(destination, message(1))
            assert caught.value.destination == destination

    async def test_a_failing_subscription_has_not_accepted(self) -> None:
        """Duty 3: `publish` raises, or the wire delivers again."""
        received = Received(failures=[RuntimeError("the store is down")])
        async with self.listened(received) as (transport, destination):
            if self.features.redelivers:
                await transport.publish(destination, message(1))
                await self.until(lambda: received.bodies == [b"1"])
                return
            with pytest.raises(DestinationUnavailable, match="RuntimeError: the store is down"):
                await transport.publish(destination, message(1))
            assert received.bodies == []
            await transport.publish(destination, message(1))
            assert received.bodies == [b"1"]

    async def test_trouble_keeps_its_kind(self) -> None:
        """Duty 2: a pause stays a pause and a rejection a rejection, for the relay to tell them apart."""
        pause = PartitionPaused("shop", topic=TOPIC, key="dune", waiting=2, bound=2)
        for trouble in (pause, MessageRejected("shop", reason="too large")):
            received = Received(failures=[trouble])
            async with self.listened(received) as (transport, destination):
                if self.features.redelivers:
                    continue
                with pytest.raises(type(trouble)) as caught:
                    await transport.publish(destination, message(1))
                assert caught.value is trouble

    async def test_a_cancelled_publish_is_not_accepted_halfway(self) -> None:
        """Duty 3: the receive ends with it, and the message may be published again."""
        if self.features.durable:
            pytest.skip("a durable wire has accepted what it keeps, before anybody receives it")
        received = Received(gate=Event())
        async with self.listened(received) as (transport, destination):
            async with create_task_group() as group:
                group.start_soon(transport.publish, destination, message(1))
                await self.until(lambda: bool(received.begun))
                group.cancel_scope.cancel()
            assert received.bodies == []
            received.gate = None
            await transport.publish(destination, message(1))
        assert received.bodies == [b"1"]

    async def test_messages_of_a_key_arrive_in_the_order_of_publishing(self) -> None:
        """Duty 4: one after the other, as a relay publishes."""
        received = Received()
        async with self.listened(received) as (transport, destination):
            for number in range(20):
                await transport.publish(destination, message(number))
            await self.until(lambda: len(received.bodies) == 20)
        assert received.bodies == [str(number).encode() for number in range(20)]

    async def test_keys_do_not_wait_for_one_another(self) -> None:
        """Windows span keys: a slow one holds back none of the others."""
        gates = {"slow": Event()}
        done: list[str | None] = []

        async def receive(received: Message) -> None:
            if received.key in gates:
                await gates[received.key].wait()
            done.append(received.key)

        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, receive), create_task_group() as group:
                group.start_soon(transport.publish, destination, message(1, "slow"))
                await checkpoint()
                await transport.publish(destination, message(1, "quick"))
                await self.until(lambda: done == ["quick"])
                gates["slow"].set()
                await self.until(lambda: len(done) == 2)
        assert done == ["quick", "slow"]

    async def test_leaving_waits_for_the_receive_that_runs(self) -> None:
        """Duty 5: what was begun is finished, and nothing is begun afterwards."""
        received = Received(gate=Event())
        order: list[str] = []

        async def publish(transport: Transport, destination: str) -> None:
            await transport.publish(destination, message(1))
            order.append("accepted")

        async def open_later() -> None:
            for _ in range(20):
                await checkpoint()
            order.append("gate")
            assert received.gate is not None
            received.gate.set()

        async with self.opened() as transport, create_task_group() as group:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, received):
                group.start_soon(publish, transport, destination)
                await self.until(lambda: bool(received.begun))
                group.start_soon(open_later)
            assert (order.index("gate"), received.bodies) == (1 if self.features.durable else 0, [b"1"])
            received.gate = None
            if not self.features.durable:
                with pytest.raises(DestinationUnavailable):
                    await transport.publish(destination, message(2))
        assert received.begun == [b"1"]

    async def test_a_cancelled_listener_leaves_no_receive_behind(self) -> None:
        """Duty 5: leaving under cancellation cancels what runs, and waits for its end."""
        received = Received(gate=Event())
        outcomes: list[str] = []

        async def publish(transport: Transport, destination: str) -> None:
            try:
                await transport.publish(destination, message(1))
            except DestinationUnavailable:
                outcomes.append("unavailable")

        async def listen(transport: Transport, started: Event) -> None:
            async with transport.listening("shop", TOPIC, received):
                started.set()
                await Event().wait()

        async with self.opened() as transport, create_task_group() as publishing:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with create_task_group() as group:
                started = Event()
                group.start_soon(listen, transport, started)
                await started.wait()
                publishing.start_soon(publish, transport, destination)
                await self.until(lambda: bool(received.begun))
                group.cancel_scope.cancel()
            if not self.features.redelivers:
                await checkpoint()
        assert received.bodies == []
        assert outcomes == ([] if self.features.redelivers else ["unavailable"])

    async def test_what_comes_again_is_not_overtaken_by_its_key(self) -> None:
        """Duties 3 and 4: a message that was refused stays before those that were published after it."""
        if not self.features.redelivers:
            pytest.skip("a refused message is its publisher's, who publishes the next one after it")
        received = Received(failures=[RuntimeError("the store is down"), RuntimeError("and still is")])
        async with self.listened(received) as (transport, destination):
            for number in range(5):
                await transport.publish(destination, message(number))
            await self.until(lambda: len(received.bodies) == 5)
        assert received.bodies == [b"0", b"1", b"2", b"3", b"4"]
        assert received.begun == [b"0", b"0", b"0", b"1", b"2", b"3", b"4"]

    async def test_a_pause_holds_back_its_key_and_no_other(self) -> None:
        """Duty 3: a subscription that takes no more of a key gets it later; others go on meanwhile."""
        if not self.features.redelivers:
            pytest.skip("a pause is its publisher's, whose other keys go on by themselves")
        paused = [PartitionPaused("shop", topic=TOPIC, key="slow", waiting=2, bound=2)]
        taken: list[tuple[str | None, bytes]] = []

        async def receive(received: Message) -> None:
            if received.key == "slow" and paused:
                raise paused[0]
            taken.append((received.key, received.body))

        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, receive):
                for number in range(2):
                    await transport.publish(destination, message(number, "slow"))
                    await transport.publish(destination, message(number, "quick"))
                await self.until(lambda: len(taken) == 2)
                paused.clear()
                await self.until(lambda: len(taken) == 4)
        assert taken == [("quick", b"0"), ("quick", b"1"), ("slow", b"0"), ("slow", b"1")]

    async def test_what_a_cancelled_listener_had_begun_comes_again(self) -> None:
        """Duties 3 and 5: it was not accepted, so whoever listens next gets it."""
        if not self.features.redelivers:
            pytest.skip("its publisher has been told that nobody accepted it")
        received = Received(gate=Event())

        async def listen(transport: Transport, started: Event) -> None:
            async with transport.listening("shop", TOPIC, received):
                started.set()
                await Event().wait()

        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with create_task_group() as group:
                started = Event()
                group.start_soon(listen, transport, started)
                await started.wait()
                await transport.publish(destination, message(1))
                await transport.publish(destination, message(2))
                await self.until(lambda: bool(received.begun))
                group.cancel_scope.cancel()
            before = list(received.bodies)
            received.gate = None
            async with transport.listening("shop", TOPIC, received):
                await self.until(lambda: len(received.bodies) == 2)
        assert (before, received.bodies) == ([], [b"1", b"2"])

    async def test_what_is_published_while_a_listener_is_away_waits_for_it(self) -> None:
        """Duty 1: accepted is accepted; the subscription is known, and comes back."""
        if not self.features.durable:
            pytest.skip("this wire keeps nothing: while nobody listens, nothing is accepted")
        received = Received()
        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            async with transport.listening("shop", TOPIC, received):
                await transport.publish(destination, message(0))
                await self.until(lambda: len(received.bodies) == 1)
            for number in (1, 2):
                await transport.publish(destination, message(number))
            await self.pause()
            away = list(received.bodies)
            async with transport.listening("shop", TOPIC, received):
                await self.until(lambda: len(received.bodies) == 3)
        assert (away, received.bodies) == ([b"0"], [b"0", b"1", b"2"])

    async def test_listeners_of_one_subscription_share_its_messages(self) -> None:
        """Duty 4: each message comes to one of them, and those of a key keep their order whoever gets them."""
        taken: list[tuple[str | None, bytes]] = []
        takers: list[set[str | None]] = [set(), set()]

        def receive(number: int) -> Receive:
            async def take(received: Message) -> None:
                takers[number].add(received.key)
                await self.pause()
                taken.append((received.key, received.body))

            return take

        async with self.opened() as one, self.beside(one) as two:
            (destination,) = one.destinations(TOPIC, ("shop",))
            async with one.listening("shop", TOPIC, receive(0)), two.listening("shop", TOPIC, receive(1)):
                for number in range(6):
                    for key in ("a", "b", "c"):
                        await (one, two)[number % 2].publish(destination, message(number, key))
                await self.until(lambda: len(taken) >= 18)
                await self.pause()
        each = [str(number).encode() for number in range(6)]
        assert {key: [body for found, body in taken if found == key] for key in "abc"} == dict.fromkeys("abc", each)
        assert len(taken) == 18
        assert all(takers)

    async def test_one_listener_goes_on_alone_when_the_other_leaves(self) -> None:
        """Duty 5: what the one who leaves has begun it ends; all that comes later is the other's."""
        first, second = Received(gate=Event()), Received(gate=Event())
        async with self.opened() as one, self.beside(one) as two:
            (destination,) = one.destinations(TOPIC, ("shop",))
            async with one.listening("shop", TOPIC, first):
                async with two.listening("shop", TOPIC, second), create_task_group() as group:
                    for key in ("a", "b"):
                        group.start_soon(one.publish, destination, message(0, key))
                    await self.until(lambda: bool(first.begun) and bool(second.begun))
                    assert second.gate is not None
                    second.gate.set()
                begun = list(second.begun)
                for number in (1, 2):
                    for key in ("a", "b"):
                        await one.publish(destination, message(number, key))
                assert first.gate is not None
                first.gate.set()
                await self.until(lambda: len(first.bodies) + len(second.bodies) == 6)
        assert (begun, second.bodies, len(first.bodies)) == ([b"0"], [b"0"], 5)

    async def test_listening_may_stop_and_start_again(self) -> None:
        """A subscription comes back after it left."""
        received = Received()
        async with self.opened() as transport:
            (destination,) = transport.destinations(TOPIC, ("shop",))
            for number in range(3):
                async with transport.listening("shop", TOPIC, received):
                    await transport.publish(destination, message(number))
                    last = str(number).encode()
                    await self.until(partial(received.bodies.__contains__, last))
        assert received.bodies == [b"0", b"1", b"2"]

    async def test_subscriptions_are_served_apart(self) -> None:
        """A failing subscription does not keep another from its message."""
        if not self.features.per_subscription:
            pytest.skip("this transport has one destination for all; its broker fans out")
        well, ill = Received(), Received(failures=[RuntimeError("ill")])
        async with self.opened() as transport:
            first, second = transport.destinations(TOPIC, ("well", "ill"))
            async with transport.listening("well", TOPIC, well), transport.listening("ill", TOPIC, ill):
                await transport.publish(first, message(1))
                with pytest.raises(DestinationUnavailable):
                    await transport.publish(second, message(1))
        assert (well.bodies, ill.bodies) == ([b"1"], [])
