"""What the library must survive in its life-cycle test: operations that break, and a wire that repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from attrs import define, field, frozen

from effect_runtime.effect import Operation
from effect_runtime.integration import Features, Message, Receive
from effect_runtime.interpreter import Perform
from effect_runtime.transports import InProcess
from library_example.lending.ports import LendingRuntime


@define
class Fuse:
    """An interceptor that breaks one operation of lending once, some operations from now, before or after."""

    left: int | None = None
    performed: bool = False

    def burn(self, left: int, *, performed: bool) -> None:
        """Break the operation that comes after `left` others."""
        self.left, self.performed = left, performed

    def put_out(self) -> bool:
        """Break nothing any more; tell whether nothing was broken."""
        unspent, self.left = self.left is not None, None
        return unspent

    def intercept(self, perform: Perform) -> Perform:
        """Wrap the way in which operations are performed."""

        async def breaking(operation: Operation, runtime: Any) -> Any:
            if self.left is None or operation.kind == "dispatch" or not isinstance(runtime, LendingRuntime):
                return await perform(operation, runtime)
            if self.left:
                self.left -= 1
                return await perform(operation, runtime)
            self.left = None
            if self.performed:
                await perform(operation, runtime)
            raise RuntimeError("an accident")

        return breaking


@frozen
class Stammering:
    """A wire inside the process that says everything twice, as wires may."""

    wire: InProcess = field(factory=InProcess)

    @property
    def features(self) -> Features:
        """Return what the wire promises."""
        return self.wire.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return where events must be accepted."""
        return self.wire.destinations(topic, subscriptions)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open the wire."""
        return self.wire.running()

    def listening(self, subscription: str, topic: str, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Deliver to a subscription."""
        return self.wire.listening(subscription, topic, receive)

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over, and over again."""
        await self.wire.publish(destination, message)
        await self.wire.publish(destination, message)
