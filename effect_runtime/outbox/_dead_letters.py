"""Dead letters as an operator handles them: list, read, replay, discard.

Knows the store's port and the bell of whoever will take up a replay. Decides nothing about order: the store does that
in one transaction.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from effect_runtime.errors import DeadLetterClosed, DeadLetterUnknown
from effect_runtime.outbox._ports import DeadLetter, DeadLetterStore
from effect_runtime.outbox._wake import Wake


@frozen
class DeadLetters:
    """The dead letters of one store, of both its relay and its subscriptions."""

    _store: DeadLetterStore
    _wake: Wake

    async def list(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first; `state=None` lists closed ones, too."""
        return await self._store.dead_letters(state=state, limit=limit)

    async def get(self, id: str) -> DeadLetter:
        """Read one dead letter; raises `errors.DeadLetterUnknown`."""
        letter = await self._store.dead_letter(id)
        if letter is None:
            raise DeadLetterUnknown(id)
        return letter

    async def replay(self, id: str) -> None:
        """Try a dead letter again, with all its attempts before it.

        A letter that blocks its key is the head of it, and its successors follow in order once it is done. One whose
        key went on is replayed out of order, and marked so. Raises `errors.DeadLetterClosed` if it is not open.
        """
        await self._close(id, "replayed")

    async def discard(self, id: str) -> None:
        """Give a dead letter up; a key that it blocks goes on without it. Raises `errors.DeadLetterClosed`."""
        await self._close(id, "discarded")

    async def _close(self, id: str, state: Literal["replayed", "discarded"]) -> None:
        if not await self._store.close_dead_letter(id, state):
            raise DeadLetterClosed(id, state=(await self.get(id)).state)
        self._wake.ring()
