"""Dead letters as an operator handles them: list, read, replay, discard.

Knows the store's port, the bell of whoever will take up a replay, and the wire that tells subscribers of a number that
will never come. Decides nothing about order: the store does that in one transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from attrs import frozen

from effect_runtime.errors import DeadLetterClosed, DeadLetterUnknown
from effect_runtime.integration import Envelope, Transport, encode_message
from effect_runtime.outbox._ports import DeadLetter, DeadLetterStore
from effect_runtime.outbox._wake import Wake

DISCARDED: Final = "effect-runtime.discarded"
"""The type of the event that stands in for one that the relay's operator gave up: nobody handles it."""


@frozen
class DeadLetters:
    """The dead letters of one store, of both its relay and its subscriptions."""

    _store: DeadLetterStore
    _wake: Wake
    _transport: Transport | None = None

    async def list(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first; `state=None` lists closed ones, too."""
        return await self._store.dead_letters(state=state, limit=limit)

    async def open_ids(
        self, *, before: datetime, destination: str | None = None, after: str | None = None, limit: int = 100
    ) -> tuple[str, ...]:
        """Return the ids of open letters that are no younger than `before`, oldest first, behind the letter `after`."""
        return await self._store.open_letters(before=before, destination=destination, after=after, limit=limit)

    async def get(self, id: str) -> DeadLetter:
        """Read one dead letter; raises `errors.DeadLetterUnknown`."""
        letter = await self._store.dead_letter(id)
        if letter is None:
            raise DeadLetterUnknown(id)
        return letter

    async def replay(self, id: str) -> None:
        """Try a dead letter again, with all its attempts before it.

        A letter that blocks its key is the head of it, and its successors follow in order once it is done. One whose
        key went on is replayed out of order, and marked so. Raises `errors.DeadLetterClosed` if it is not open, and
        `errors.DeadLetterNotReplayable` for a letter of a volatile queue, which holds no message.
        """
        await self._close(id, "replayed")

    async def discard(self, id: str) -> None:
        """Give a dead letter up; a key that it blocks goes on without it. Raises `errors.DeadLetterClosed`.

        For a key of the relay, an event of the type `DISCARDED` takes the number first, so that no subscription waits
        for it: while its destination cannot accept even that, this raises what the transport raised and changes
        nothing. Without a transport the number stays missing until `Consumer.close_gap`.
        """
        letter = await self.get(id)
        if letter.state == "dead" and letter.side == "outbox" and self._transport is not None:
            await self._stand_in(letter, self._transport)
        await self._close(id, "discarded")

    async def _stand_in(self, letter: DeadLetter, transport: Transport) -> None:
        if letter.topic is None or letter.event is None or letter.key is None or letter.sequence is None:
            return
        # Under the event's own id: a subscriber that had accepted it after all knows this as a second delivery.
        envelope = Envelope(
            id=letter.event,
            source="/effect-runtime/dead-letters",
            type=DISCARDED,
            version=1,
            topic=letter.topic,
            time=letter.at,
            data=b"{}",
            correlation=letter.id,
            causation=letter.event,
            key=letter.key,
            sequence=letter.sequence,
        )
        await transport.publish(letter.destination, encode_message(envelope))

    async def _close(self, id: str, state: Literal["replayed", "discarded"]) -> None:
        if not await self._store.close_dead_letter(id, state):
            raise DeadLetterClosed(id, state=(await self.get(id)).state)
        self._wake.ring()
