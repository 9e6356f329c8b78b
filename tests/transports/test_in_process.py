"""The wire inside one process keeps the contract, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from effect_runtime.errors import AlreadyListening
from effect_runtime.integration import Features, Transport
from effect_runtime.transports import InProcess
from tests.transports.contract import TOPIC, Received, TransportContract, message

pytestmark = pytest.mark.anyio


class TestInProcess(TransportContract):
    """Run the contract."""

    features = Features(durable=False, ordered_pipelining=False, redelivers=False, per_subscription=True)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Transport]:
        """Return a wire."""
        transport = InProcess()
        async with transport.running():
            yield transport

    async def test_a_subscription_listens_once(self) -> None:
        """A second listener would take messages from the first; the first goes on."""
        received = Received()
        async with self.listened(received) as (transport, destination):
            with pytest.raises(AlreadyListening, match="'shop' is listening on this wire already"):
                async with transport.listening("shop", TOPIC, Received()):
                    raise AssertionError("it must not be entered")
            await transport.publish(destination, message(1))
        assert received.bodies == [b"1"]
