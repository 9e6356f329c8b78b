"""Many dead letters tried again, at a rate that live traffic can bear.

Each letter is closed in the transaction that makes it due, so whoever is killed and begins again replays none twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, final

from attrs import frozen

from effect_runtime.errors import DeadLetterClosed, DeadLetterNotReplayable
from effect_runtime.interpreter import Time
from effect_runtime.outbox._dead_letters import DeadLetters

_PAGE: Final = 500


@frozen(kw_only=True)
class Replays:
    """What became of the dead letters of one round: how many were replayed, and the ids of those that cannot be."""

    replayed: int = 0
    refused: tuple[str, ...] = ()


async def replay_all(
    stores: Sequence[DeadLetters], *, time: Time, before: datetime, destination: str | None, per_second: float
) -> Replays:
    """Replay every open letter that is no younger than `before`, oldest first in each store, at most so many a second.

    A letter that fails again is a younger one, so a round ends; beginning again with the same `before` goes on where
    an interrupted round was. What somebody else closes meanwhile is left to them. A rate that is not above 0 is a
    `ValueError`, and nothing is replayed.
    """
    if not per_second > 0:
        raise ValueError(f"replay_all(per_second={per_second}) would never end. Pass more than 0.")
    pace = _Pace(time, per_second)
    refused: list[str] = []
    for letters in stores:
        after: str | None = None
        while page := await letters.open_ids(before=before, destination=destination, after=after, limit=_PAGE):
            for after in page:
                await _replayed(letters, after, pace, refused)
    return Replays(replayed=pace.taken, refused=tuple(refused))


async def _replayed(letters: DeadLetters, id: str, pace: _Pace, refused: list[str]) -> None:
    try:
        await letters.replay(id)
    except DeadLetterClosed:
        return
    except DeadLetterNotReplayable:
        refused.append(id)
        return
    await pace.kept()


@final
class _Pace:
    """Count steps, and rest after each that comes before its time. Owned by one round."""

    def __init__(self, time: Time, per_second: float) -> None:
        self._time = time
        self._per_second = per_second
        self._started = time.monotonic()
        self.taken = 0

    async def kept(self) -> None:
        """Take a step, and wait until the next may be taken."""
        self.taken += 1
        # Measured from the start, not from the last step: after a slow store the rate is caught up with.
        ahead = self.taken / self._per_second - (self._time.monotonic() - self._started)
        if ahead > 0:
            await self._time.sleep(timedelta(seconds=ahead))
