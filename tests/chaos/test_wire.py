"""The wire between processes: accepted means answered, and whoever leaves leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from anyio import Event, create_task_group

from effect_runtime.errors import DestinationUnavailable
from effect_runtime.integration import Message
from effect_runtime.transports import InProcess
from tests.chaos.wire import OpenWire, SocketWire

pytestmark = pytest.mark.anyio


class Receiver:
    """A subscription that keeps bodies, or raises, or never ends."""

    def __init__(self, failure: Exception | None = None, gate: Event | None = None) -> None:
        self.bodies: list[bytes] = []
        self.begun = Event()
        self.failure = failure
        self.gate = gate

    async def __call__(self, message: Message) -> None:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.bodies.append(message.body)


async def test_an_accepted_message_was_received(tmp_path: Path) -> None:
    """`sent` is called in between; messages published one after the other arrive so."""
    sent: list[bytes] = []
    receiver = Receiver()
    wire = SocketWire(tmp_path, sent=lambda: sent.append(b"sent"))
    async with wire.listening("shop", "till", receiver):
        for body in (b"1", b"2"):
            await wire.publish("shop", Message(body=body))
    assert (receiver.bodies, sent) == ([b"1", b"2"], [b"sent", b"sent"])


async def test_what_a_subscription_raises_is_told_to_the_publisher(tmp_path: Path) -> None:
    """It is not accepted, and the reason travels."""
    wire = SocketWire(tmp_path)
    async with wire.listening("shop", "till", Receiver(RuntimeError("down"))):
        with pytest.raises(DestinationUnavailable, match="RuntimeError: down"):
            await wire.publish("shop", Message(body=b"1"))


async def test_a_path_that_nobody_listens_on_is_unavailable(tmp_path: Path) -> None:
    """Neither before anybody came, nor when one has left; who comes again replaces what is left of the former."""
    wire, receiver = SocketWire(tmp_path), Receiver()
    for _ in range(2):
        with pytest.raises(DestinationUnavailable):
            await wire.publish("shop", Message(body=b"early"))
        async with wire.listening("shop", "till", receiver):
            await wire.publish("shop", Message(body=b"1"))
    assert receiver.bodies == [b"1", b"1"]


async def test_leaving_ends_what_is_being_received(tmp_path: Path) -> None:
    """The publisher is told that it was not accepted, and leaving returns although the receiver would not."""
    wire, receiver = SocketWire(tmp_path), Receiver(gate=Event())
    outcomes: list[str] = []

    async def publish() -> None:
        try:
            await wire.publish("shop", Message(body=b"1"))
        except DestinationUnavailable:
            outcomes.append("unavailable")

    async with create_task_group() as group:
        async with wire.listening("shop", "till", receiver):
            group.start_soon(publish)
            await receiver.begun.wait()
    assert (outcomes, receiver.bodies) == (["unavailable"], [])


async def test_one_of_those_who_listen_gets_a_message(tmp_path: Path) -> None:
    """Whoever is left gets what comes; the dead have left their sockets behind, and are passed over."""
    one, other = SocketWire(tmp_path, number=1), SocketWire(tmp_path, number=2)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "shop@3"))
    dead.close()
    left, right = Receiver(), Receiver()
    publisher = SocketWire(tmp_path, number=4)
    async with one.listening("shop", "till", left):
        async with other.listening("shop", "till", right):
            for number in range(20):
                await publisher.publish("shop", Message(body=b"%d" % number))
        await publisher.publish("shop", Message(body=b"last"))
    assert sorted(left.bodies + right.bodies) == sorted([b"%d" % number for number in range(20)] + [b"last"])
    assert (left.bodies[-1], len(left.bodies) > 1, len(right.bodies) > 0) == (b"last", True, True)


async def test_a_whole_process_hears_itself_and_others(tmp_path: Path) -> None:
    """Its own events stay inside; those of other processes come by its socket."""
    whole, receiver = OpenWire(InProcess(), SocketWire(tmp_path, number=1)), Receiver()
    async with whole.running(), whole.listening("shop", "till", receiver):
        await whole.publish("shop", Message(body=b"own"))
        await SocketWire(tmp_path, number=2).publish("shop", Message(body=b"other"))
    assert receiver.bodies == [b"own", b"other"]
