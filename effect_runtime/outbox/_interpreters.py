"""How the integration events of a unit of work are committed: as rows, at once, into a list, or not at all.

Each class implements dispatch's `TransportInterpreter`. They know no store: dispatch writes what `rows` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from attrs import define, field, frozen

from effect_runtime.errors import PublishForbidden
from effect_runtime.integration import Envelope, Transport, encode_message
from effect_runtime.outbox._trouble import is_stray
from effect_runtime.outbox._wake import Wake


@final
@frozen
class OutboxInterpreter:
    """Write events in the unit's own transaction and wake the relay: committed means delivered, sooner or later."""

    wake: Wake

    @property
    def durable(self) -> bool:
        """Return True: a crash right after the commit loses nothing."""
        return True

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:
        """Return every event."""
        return tuple(events)

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Wake the relay."""
        # Most commits publish nothing: a ring would cost the relay a look at the store for each.
        if events:
            self.wake.ring()


@final
@define
class ImmediateInterpreter:
    """Publish right after the commit, with nothing durable behind it: for development only.

    `destinations` answers where a topic goes. An event that does not come through is lost: `lost` counts it and
    `last_error` says why; the command, which has committed, still succeeds.
    """

    transport: Transport
    destinations: Callable[[str], Sequence[str]]
    lost: int = field(default=0, init=False)
    last_error: BaseException | None = field(default=None, init=False)

    @property
    def durable(self) -> bool:
        """Return False: a crash right after the commit loses the events."""
        return False

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:  # the port's signature
        """Return nothing."""
        return ()

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Publish each event to each destination, in order."""
        for envelope in events:
            for destination in self.destinations(envelope.topic):
                try:
                    await self.transport.publish(destination, encode_message(envelope))
                except BaseException as error:  # the commit stands, so this must not look like its failure
                    if not isinstance(error, Exception) and not is_stray(error):
                        raise
                    self.lost += 1
                    self.last_error = error


@final
@define
class RecordingInterpreter:
    """Keep committed events in a list, for tests: what a rolled back unit collected is not in it."""

    published: list[Envelope] = field(factory=list)

    @property
    def durable(self) -> bool:
        """Return False."""
        return False

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:  # the port's signature
        """Return nothing."""
        return ()

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Keep the events."""
        self.published.extend(events)


@final
@frozen
class ForbiddenInterpreter:
    """Refuse every integration event: for queries and for contexts that publish nothing."""

    @property
    def durable(self) -> bool:
        """Return True: there is nothing that a crash could lose."""
        return True

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:
        """Return nothing; raises `errors.PublishForbidden` if there is an event, so the unit rolls back."""
        if events:
            raise PublishForbidden([envelope.type for envelope in events])
        return ()

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Do nothing: `rows` has refused every event."""
