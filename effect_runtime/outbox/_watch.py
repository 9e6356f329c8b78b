"""Notices what other processes commit: polls a store's version and rings.

Eager after a change, calmer the longer nothing happens. Knows a number and a bell, no store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from effect_runtime.interpreter import Host
from effect_runtime.outbox._wake import Wake


@frozen(eq=False)
class Watch:
    """Ring `bell` soon after `version` has changed. A commit of our own rings, too: nobody can tell them apart."""

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
