"""What a replay gives a handler instead of the world: a store that is watched, a clock that stands, ids that count.

The same in every run. Knows no recording.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, final
from uuid import UUID

from anyio.lowlevel import checkpoint

from effect_runtime.effect import Raised
from effect_runtime.interpreter import Host
from effect_runtime.outbox.memory import MemoryStore


@final
class Absent:
    """Stand for the session and the resources that a runtime is built from: any attribute of it is another one."""

    def __getattr__(self, name: str) -> Absent:
        # By these names Python asks what may be awaited, copied or iterated: none of that may seem to work.
        if name.startswith("__"):
            raise AttributeError(
                f"{name}: what make() is given in a replay is absent; give replayed(..., resources=...)"
            )
        return self

    def __call__(self, *_: object, **__: object) -> Absent:
        """Answer any call with itself."""
        return self


@final
class StandingTime:
    """A clock that stands at the moment of the last attempt; waiting takes no time and moves it on."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = timedelta(0)

    def now(self) -> datetime:
        """Return the moment."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds that were waited."""
        return self._elapsed.total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        """Let the time pass at once."""
        self._elapsed += max(duration, timedelta(0))
        await checkpoint()


@final
class CountedEntropy:
    """Ids that count up, and a chance that is always even: the same in every run of a test."""

    def __init__(self) -> None:
        self._drawn = 0

    def uuid(self) -> UUID:
        """Return the next id."""
        self._drawn += 1
        return UUID(int=self._drawn, version=4)

    def random(self) -> float:
        """Return one half."""
        return 0.5


@final
class WatchedStore:
    """A store in memory that sees the failure by which a unit of work ends, with its traceback.

    Dispatch answers with the failure alone; a test wants to show the line, too.
    """

    def __init__(self) -> None:
        self._inner = MemoryStore("replay")
        self.failure: Raised | None = None

    @property
    def name(self) -> str:
        """Return what names it in messages."""
        return self._inner.name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open it."""
        async with self._inner.opened(host) as store:
            yield _WatchedUnits(self, store)


@final
class _WatchedUnits:
    """An open store whose units are watched; all else is the store's own."""

    def __init__(self, watched: WatchedStore, store: Any) -> None:
        self._watched = watched
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def unit(self, *, alone: bool = False) -> AsyncIterator[Any]:
        try:
            async with self._store.unit(alone=alone) as unit:
                yield unit
        except Raised as failure:
            self._watched.failure = failure
            raise
