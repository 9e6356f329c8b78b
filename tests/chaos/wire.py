"""A wire between processes: a socket file for each process that listens, one connection for each message.

The publisher picks one of those that listen and waits for its answer, so that either side may die at any byte. Knows
bytes only.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import final

from anyio import (
    BrokenResourceError,
    ClosedResourceError,
    EndOfStream,
    IncompleteRead,
    connect_unix,
    create_task_group,
    create_unix_listener,
)
from anyio.abc import ByteStream, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from attrs import Factory, field, frozen

from effect_runtime.errors import DestinationUnavailable
from effect_runtime.integration import Features, Message, Receive
from effect_runtime.transports import InProcess

_BROKEN = (OSError, BrokenResourceError, ClosedResourceError, EndOfStream, IncompleteRead)


def _nothing() -> None:
    pass


@final
@frozen
class SocketWire:
    """Carry messages to one of the processes that listen in `folder`; `sent` is called before the answer is waited for.

    `number` tells a process from others that listen for the same subscription.
    """

    folder: Path
    number: int = 0
    chance: Random = field(init=False, default=Factory(lambda self: Random(self.number), takes_self=True))
    sent: Callable[[], None] = field(default=_nothing)

    @property
    def features(self) -> Features:
        """Return what it promises: nothing is kept on it, each subscription is a destination of its own."""
        return Features(durable=False, ordered_pipelining=False, redelivers=False, per_subscription=True)

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return the subscriptions themselves."""
        return tuple(subscriptions)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: connections are made for each message."""
        yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Answer on the subscription's socket while entered; leaving cancels what is being received."""

        async def answer(stream: ByteStream) -> None:
            async with stream:
                try:
                    await stream.send(_frame(await _answered(receive, await _read(stream))))
                except _BROKEN:
                    return  # the publisher is gone: it will publish again

        # What a killed process has left at this path is replaced. The listener outlives those who accept on it.
        path = self.folder / f"{subscription}@{self.number}"
        async with await create_unix_listener(path) as listener, create_task_group() as group:
            group.start_soon(listener.serve, answer)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            group.cancel_scope.cancel()

    async def publish(self, destination: str, message: Message) -> None:
        """Send the message and wait for the answer; without one it is not accepted."""
        try:
            async with await self._reached(destination) as stream:
                await stream.send(_frame(message.body))
                self.sent()
                answer: str = json.loads(await _read(stream))
        except _BROKEN as error:
            raise DestinationUnavailable(destination, reason=f"{type(error).__name__}: {error}") from error
        if answer:
            raise DestinationUnavailable(destination, reason=answer)

    async def _reached(self, subscription: str) -> SocketStream:
        """Connect to any that listens; the dead have left their sockets behind."""
        paths = sorted(self.folder.glob(f"{subscription}@*"))
        for path in self.chance.sample(paths, len(paths)):
            with suppress(OSError):
                return await connect_unix(path)
        raise ConnectionRefusedError(f"nobody listens for {subscription}")


@final
@frozen
class OpenWire:
    """The wire of a process that is the whole shop: its own events stay inside, others' come by its sockets."""

    inside: InProcess
    sockets: SocketWire

    @property
    def features(self) -> Features:
        """Return what the wire inside promises."""
        return self.inside.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return the subscriptions themselves."""
        return self.inside.destinations(topic, subscriptions)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open both."""
        async with self.inside.running(), self.sockets.running():
            yield

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Deliver from inside and from the sockets."""
        async with (
            self.inside.listening(subscription, topic, receive),
            self.sockets.listening(subscription, topic, receive),
        ):
            yield

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over inside."""
        await self.inside.publish(destination, message)


async def _answered(receive: Receive, body: bytes) -> bytes:
    """Return the answer: an empty text once the message is settled, otherwise why it is not."""
    try:
        await receive(Message(body=body))
    except Exception as error:
        return json.dumps(f"{type(error).__name__}: {error}").encode()
    return json.dumps("").encode()


def _frame(body: bytes) -> bytes:
    return len(body).to_bytes(4) + body


async def _read(stream: ByteStream) -> bytes:
    buffered = BufferedByteReceiveStream(stream)
    size = int.from_bytes(await buffered.receive_exactly(4))
    return await buffered.receive_exactly(size)
