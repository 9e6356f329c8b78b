"""The dead letters of all stores of an application, as one list. Knows which store a letter came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attrs import frozen

from effect_runtime.errors import DeadLetterUnknown
from effect_runtime.outbox import DeadLetter, DeadLetters


@frozen
class AllDeadLetters:
    """The dead letters of every store that an application has open."""

    _stores: Sequence[DeadLetters]

    async def list(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first; `state=None` lists closed ones, too."""
        letters = [letter for store in self._stores for letter in await store.list(state=state, limit=limit)]
        return tuple(sorted(letters, key=lambda letter: letter.at)[:limit])

    async def get(self, id: str) -> DeadLetter:
        """Read one dead letter; raises `errors.DeadLetterUnknown`."""
        return await (await self._holding(id)).get(id)

    async def replay(self, id: str) -> None:
        """Try a dead letter again; one that blocks its key frees its successors, in order, once it is done."""
        await (await self._holding(id)).replay(id)

    async def discard(self, id: str) -> None:
        """Give a dead letter up; a key that it blocks goes on without it."""
        await (await self._holding(id)).discard(id)

    async def _holding(self, id: str) -> DeadLetters:
        for store in self._stores:
            try:
                await store.get(id)
            except DeadLetterUnknown:
                continue
            return store
        raise DeadLetterUnknown(id)
