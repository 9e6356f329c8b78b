"""The simulated broker keeps the production contract of transports, on the simulation's own loop and clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta

import anyio
import pytest
from attrs import frozen

from effect_runtime.integration import Transport
from effect_runtime.testing import Faults
from effect_runtime.testing._boundaries import Boundaries
from effect_runtime.testing._broker import PROMISED, Broker, BrokerWire
from effect_runtime.testing._incarnation import Incarnation
from effect_runtime.testing._ordered import in_asyncio, ordered_scopes
from effect_runtime.testing._sequencer import FIBER, Fiber, Sequencer
from effect_runtime.testing._site import Alternative, Canonical, Site
from tests.transports.contract import TransportContract

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
        self.life = Incarnation(sequencer, "p")
        self.boundaries = Boundaries(sequencer, "p", Unharmed(), faults, lambda: None)

    async def pause(self) -> None:
        """Let a little time pass: a message that was not taken comes again after some."""
        await anyio.sleep(0.1)

    def context(self, fiber: Fiber) -> Context:
        """Return a context for one fiber."""
        context = Context()
        context.run(FIBER.set, fiber)
        context.run(in_asyncio)
        return context

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Transport]:
        """Return a wire to a broker with one group, or without any for a topic that nobody serves."""
        broker = Broker()
        wire = BrokerWire(broker, self.life, self.boundaries, self.context)
        async with wire.running():
            yield wire


def kept(claim: str, sequencer: Sequencer, faults: Faults) -> list[BaseException | str]:
    """Run one claim to its end, and return what went wrong."""
    contract = Brokered(sequencer, faults)
    wrong: list[BaseException | str] = []

    async def whole() -> None:
        try:
            await getattr(contract, claim)()
        except BaseException as error:
            wrong.append(error)
        sequencer.unfinished -= 1

    sequencer.unfinished += 1
    contract.life.create_task(whole(), context=contract.context(Fiber("p", "main")))
    with ordered_scopes():
        ending = sequencer.drive(timedelta(hours=1).total_seconds())
        contract.life.dispose()
    wrong += [] if ending == "done" else [ending]
    return [*wrong, *sequencer.troubles]


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_broker_keeps_each_duty(claim: str) -> None:
    """Those that a durable wire keeps otherwise are skipped by the contract, with the reason."""
    wrong = kept(claim, Sequencer(Canonical()), Faults())
    for error in wrong:
        if isinstance(error, pytest.skip.Exception):
            pytest.skip(str(error))
    assert wrong == []


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
