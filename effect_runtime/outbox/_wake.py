"""A bell between a commit and whoever waits for it, inside one process.

Knows no store and no relay. A ring that nobody heard costs latency only: every listener polls as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anyio import Event


class Wake:
    """Tell listeners that there may be something to do; owned by whoever opened the store.

    Rings are counted, so a listener that read `rings` before it looked cannot miss one.
    """

    __slots__ = ("_event", "_followers", "_rings")

    def __init__(self) -> None:
        self._rings = 0
        self._event: Event | None = None
        self._followers: list[Wake] = []

    @property
    def rings(self) -> int:
        """Return how often it has rung."""
        return self._rings

    def ring(self) -> None:
        """Wake every listener and every follower. Never waits."""
        self._rings += 1
        if self._event is not None:
            # Dropped after it is set, never reused: who waits from now on waits for the next ring.
            self._event.set()
            self._event = None
        for follower in self._followers:
            follower.ring()

    async def after(self, seen: int) -> None:
        """Wait until it has rung more often than `seen` times."""
        while self._rings <= seen:
            if self._event is None:
                self._event = Event()
            await self._event.wait()

    @contextmanager
    def followed_by(self, follower: Wake) -> Iterator[None]:
        """Let `follower` ring along while entered."""
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)
