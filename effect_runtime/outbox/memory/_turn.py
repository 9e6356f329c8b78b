"""Whose turn it is to write: first come, first served.

Not bound to a task, because a unit may be opened in one task of its command and ended in another.
"""

from __future__ import annotations

from collections import deque
from typing import final

from anyio import Event


@final
class Turn:
    """A turn that one holder has at a time, handed on in the order of asking."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[Event] = deque()

    async def take(self) -> None:
        """Wait for the turn; cancelled, it is left to the next."""
        if not self._taken:
            self._taken = True
            return
        ours = Event()
        self._waiting.append(ours)
        try:
            await ours.wait()
        except BaseException:
            if ours.is_set():
                # Handed to us in the very moment in which we were cancelled.
                self.give()
            else:
                self._waiting.remove(ours)
            raise

    def give(self) -> None:
        """Hand the turn on."""
        if self._waiting:
            # `_taken` stays as it is: handed over, never free in between, so nobody overtakes who waits.
            self._waiting.popleft().set()
        else:
            self._taken = False
