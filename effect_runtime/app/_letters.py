"""The dead letters of all stores of an application, as one list. Knows which store a letter came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from attrs import frozen

from effect_runtime.app._plan import Plan
from effect_runtime.app._reproduction import reproduction
from effect_runtime.errors import DeadLetterUnknown
from effect_runtime.outbox import DeadLetter, DeadLetters, Replays, replay_all


@frozen
class AllDeadLetters:
    """The dead letters of every store that an application has open."""

    _stores: Sequence[DeadLetters]
    _plan: Plan

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

    async def replay_all(
        self, *, before: datetime | None = None, destination: str | None = None, per_second: float = 100
    ) -> Replays:
        """Replay every open letter that is no younger than `before` (now), so many in a second at most.

        One store after the other, oldest first in each. `destination` takes those of one subscription, handler or
        relay's destination alone. Interrupted, it is begun again with the same `before`: each letter is replayed once,
        and one that failed again is left.
        """
        time = self._plan.host.time
        before = time.now() if before is None else before
        return await replay_all(self._stores, time=time, before=before, destination=destination, per_second=per_second)

    async def discard(self, id: str) -> None:
        """Give a dead letter up; a key that it blocks goes on without it."""
        await (await self._holding(id)).discard(id)

    async def reproduce(self, id: str, *, to: Path | None = None) -> str:
        """Return the text of a pytest file that repeats the last attempt of a dead letter; write it `to` a path, too.

        The handlers run for real, in dispatch, and are answered with what was recorded: it fails as they did, on the
        same line, and passes once they are mended. Secrets are covered. Raises `errors.DeadLetterNotReproducible` for
        a letter that no handler was tried for.
        """
        text = reproduction(await self.get(id), self._plan.bindings, self._plan.secrets).text()
        if to is not None:
            await self._plan.host.blocking.offload(to.write_text, text, encoding="utf-8")
        return text

    async def _holding(self, id: str) -> DeadLetters:
        for store in self._stores:
            try:
                await store.get(id)
            except DeadLetterUnknown:
                continue
            return store
        raise DeadLetterUnknown(id)
