"""The simulated broker keeps the production contract of transports, on the simulation's own loop and clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from anyio import Event
from attrs import frozen

from effect_runtime.integration import Transport
from effect_runtime.testing import Faults
from effect_runtime.testing.ground._boundaries import Boundaries
from effect_runtime.testing.ground._broker import PROMISED, Broker, BrokerWire
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._sequencer import Fiber, Sequencer
from effect_runtime.testing.loop._site import Alternative, Canonical, Site, Walk
from tests.simulation.living import context_of, lived
from tests.transports.contract import TOPIC, Received, TransportContract, message

CLAIMS = sorted(name for name in dir(TransportContract) if name.startswith("test_"))


class Unharmed:
    """A process to which nothing happens: no fault of these worlds is one of a process."""

    is_used = False

    async def crash(self, *, again: int = 0) -> None:
        """Refuse to die."""
        raise AssertionError("no fault of this world is a crash")

    async def crash_all(self) -> None:
        """Refuse to die."""
        raise AssertionError("no fault of this world is a crash")

    async def upgrade(self) -> None:
        """Refuse to change."""
        raise AssertionError("no fault of this world is an upgrade")

    async def pause(self, duration: timedelta) -> None:
        """Refuse to stand still."""
        raise AssertionError("no fault of this world is a pause")

    def jump(self, by: timedelta) -> None:
        """Refuse another time."""
        raise AssertionError("no fault of this world is a clock that jumps")


class Brokered(TransportContract):
    """The contract on one life of one process."""

    features = PROMISED

    def __init__(self, sequencer: Sequencer, faults: Faults) -> None:
        self.sequencer = sequencer
        self.faults = faults
        self.lives: list[Incarnation] = []
        self.life = self.born("p")

    def born(self, process: str) -> Incarnation:
        """Return a life of a process."""
        self.lives.append(Incarnation(self.sequencer, process))
        return self.lives[-1]

    def wire(self, broker: Broker, life: Incarnation) -> BrokerWire:
        """Return a broker as one life sees it."""
        boundaries = Boundaries(self.sequencer, life.process, Unharmed(), self.faults, lambda: None)
        return BrokerWire(broker, life, boundaries, context_of)

    async def pause(self) -> None:
        """Let a little time pass: a message that was not taken comes again after some."""
        await anyio.sleep(0.1)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Transport]:
        """Return a wire to a broker with one group, or without any for a topic that nobody serves."""
        wire = self.wire(Broker(), self.life)
        async with wire.running():
            yield wire

    @asynccontextmanager
    async def beside(self, transport: Transport) -> AsyncIterator[Transport]:
        """Return a wire to the same broker in another process."""
        assert isinstance(transport, BrokerWire)
        wire = self.wire(transport.broker, self.born("q"))
        async with wire.running():
            yield wire

    async def the_dead_hand_on(self) -> None:
        """Listen in two processes and let one die while it receives."""
        first, second = Received(), Received(gate=Event())
        async with self.opened() as one:
            assert isinstance(one, BrokerWire)
            other = self.born("q")
            two = self.wire(one.broker, other)

            async def live() -> None:
                async with two.listening("shop", TOPIC, second):
                    await Event().wait()

            async with one.listening("shop", TOPIC, first):
                other.create_task(live(), context=context_of(Fiber("q", "main")))
                await self.pause()
                for number in range(2):
                    for key in ("a", "b"):
                        await one.publish(TOPIC, message(number, key))
                await self.until(lambda: len(first.bodies) == 2 and bool(second.begun))
                other.is_dead = True
                one.broker.drop(other)
                await self.until(lambda: one.broker.is_empty)
        assert (sorted(first.bodies), second.begun, second.bodies) == ([b"0", b"0", b"1", b"1"], [b"0"], [])


def kept(claim: str, sequencer: Sequencer, faults: Faults) -> list[BaseException | str]:
    """Run one claim to its end, and return what went wrong."""
    contract = Brokered(sequencer, faults)
    try:
        return lived(sequencer, contract.life, getattr(contract, claim))
    finally:
        for life in contract.lives:
            life.dispose()


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_broker_keeps_each_duty(claim: str) -> None:
    """Those that a durable wire keeps otherwise are skipped by the contract, with the reason."""
    wrong = kept(claim, Sequencer(Canonical()), Faults())
    for error in wrong:
        if isinstance(error, pytest.skip.Exception):
            pytest.skip(str(error))
    assert wrong == []


def test_what_a_dead_listener_had_begun_goes_to_the_others() -> None:
    """Duty 3: it was not accepted; and the order of its key is kept."""
    assert kept("the_dead_hand_on", Sequencer(Canonical()), Faults()) == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if "key" in claim or "one" in claim])
def test_the_broker_keeps_its_duties_in_any_order(claim: str, seed: int) -> None:
    """Whoever goes on where several could."""
    wrong = kept(claim, Sequencer(Walk(seed, every=3)), Faults())
    assert [error for error in wrong if not isinstance(error, pytest.skip.Exception)] == []


@frozen
class Late:
    """Let every `every`th message come late."""

    every: int

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Choose."""
        return alternatives.index("late") if "late" in alternatives and site.nth % self.every == 0 else 0


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_late_message_holds_back_those_of_its_key(every: int) -> None:
    """Duty 4 under a fault that the broker's features allow: what is late is not overtaken."""
    claim = "test_messages_of_a_key_arrive_in_the_order_of_publishing"
    sequencer = Sequencer(Late(every))
    assert kept(claim, sequencer, Faults(messages=True)) == []
    assert (len(sequencer.plan), sequencer.now >= 20 // every) == (20 // every, True)
