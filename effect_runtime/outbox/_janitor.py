"""The janitor of one store: forgets, now and then, what its retention says is old.

Any number of them may work on one store, in any number of processes: what one has removed another does not find. It
knows when; the store knows what is still needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from anyio import create_task_group, get_cancelled_exc_class

from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Kept, Place, RetentionStore
from effect_runtime.outbox._retention import Purged, Retention

_TROUBLED: Final = timedelta(minutes=1)
"""How long it rests after trouble with its store, at most."""


class Janitor:
    """Purge one store; owned by whoever runs the application. `purged` counts what it has removed in this process."""

    __slots__ = ("_host", "_retention", "_store", "purged", "trouble")

    def __init__(self, store: RetentionStore, retention: Retention, *, host: Host) -> None:
        self._store = store
        self._retention = retention
        self._host = host
        self.purged = Purged()
        self.trouble: str | None = None

    async def purge(self) -> Purged:
        """Forget all that is old now, in short transactions with a rest after each, and say what was removed.

        Cancelled or failing in between, what was removed stays removed and the rest is left for another time.
        """
        purged = Purged()
        for kept, before in self._retention.cutoffs(self._host.time.now()):
            purged = purged.plus(kept, await self._purge(kept, before))
        return purged

    async def _purge(self, kept: Kept, before: datetime) -> int:
        removed = 0
        behind: Place = ()
        while True:
            sweep = await self._store.purge(kept, before, limit=self._retention.batch, behind=behind)
            removed += sweep.removed
            self.purged = self.purged.plus(kept, sweep.removed)
            if sweep.reached is None:
                return removed
            behind = sweep.reached
            # Writers of this process and of others go first: each step has held the store's one write lock.
            await self._host.time.sleep(self._retention.pause)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Purge at once and then again after each rest, while entered. Leaving waits for nothing but a commit."""
        failure: BaseException | None = None
        async with create_task_group() as group:
            group.start_soon(self._loop)
            try:
                yield
            except get_cancelled_exc_class():
                raise
            except BaseException as error:  # carried around the task group, which would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _loop(self) -> None:
        while True:
            rest = self._retention.every
            try:
                await self.purge()
                self.trouble = None
            except Exception as error:  # a store that is down or busy must not end the loop; health tells
                self.trouble = f"{type(error).__name__}: {error}"
                rest = min(rest, _TROUBLED)
            await self._host.time.sleep(rest)
