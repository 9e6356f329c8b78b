"""The lock of one unit of work: transactional operations of parallel branches queue on it, first come first served.

Free, it costs no trip to the event loop, which a lock of the event loop's library would.
"""

from __future__ import annotations

from collections import deque
from typing import final

from anyio import Event


@final
class Turn:
    """Let one holder in at a time, in the order of asking. Owned by one unit of work, in one event loop."""

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[Event] = deque()

    def take(self) -> bool:
        """Take the turn if it is free; False otherwise."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def wait(self) -> None:
        """Wait for the turn and take it."""
        mine = Event()
        self._waiting.append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():
                self.leave()  # it was handed over while we were being cancelled
            else:
                self._waiting.remove(mine)
            raise

    def leave(self) -> None:
        """Hand the turn to who has waited longest, or free it."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._taken = False
