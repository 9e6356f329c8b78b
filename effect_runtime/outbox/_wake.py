"""A bell between a commit and whoever waits for it, and the watch that rings it for commits of other processes.

Knows no store, only a number that changes, and no relay. A ring that nobody heard costs latency only: every listener
polls as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from anyio import Event
from attrs import frozen

from effect_runtime.interpreter import Host


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


@frozen(eq=False)
class Watch:
    """Ring `bell` soon after `version` has changed, eager after a change and calmer the longer nothing happens.

    A commit of our own rings, too: nobody can tell them apart.
    """

    version: Callable[[], int]
    bell: Wake
    host: Host
    busy: timedelta
    idle: timedelta

    async def run(self) -> None:
        """Watch until cancelled."""
        seen, interval = self._version(), self.busy
        while True:
            # Up to a fifth earlier, by chance: processes that share a store do not poll it in step.
            await self.host.time.sleep(interval * (1.0 - 0.2 * self.host.entropy.random()))
            now = self._version()
            # None differs from every number: that a store is back, or gone, rings, too.
            if now != seen:
                seen, interval = now, self.busy
                self.bell.ring()
            else:
                interval = min(interval * 1.5, self.idle)

    def _version(self) -> int | None:
        try:
            return self.version()
        except Exception:  # the store is down: whoever works on it says so
            return None
