"""What a process has of the machine and a test may tamper with: its clock, its disk, and the calls that block.

Ports and limits only; when they are used is decided elsewhere.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, final

from attrs import define, field

from effect_runtime.interpreter import Blocking, Time, system_host
from effect_runtime.outbox.sqlite import Medium

P = ParamSpec("P")
T = TypeVar("T")

_LEDGERS: Final = 300_000
"""Bytes that no ledger gets longer by while a disk is full; databases and their logs are longer than that."""
_PAGES: Final = 0xFFFFFFFE
"""As many pages as SQLite allows."""


@final
@define(eq=False)
class WatchedBlocking:
    """The machine's own blocking calls; `then` is called once, after the next short one."""

    then: Callable[[], None] | None = None
    system: Blocking = field(factory=lambda: system_host().blocking)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks shortly."""
        value = self.system.run(function, *args, **kwargs)
        then, self.then = self.then, None
        if then is not None:
            then()
        return value

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may block long, on a thread."""
        return await self.system.offload(function, *args, **kwargs)


@final
@define(eq=False)
class SteppedTime:
    """The machine's clock, set forward or back by `ahead`; `then` is called once, when the time is next asked for."""

    ahead: timedelta = timedelta(0)
    then: Callable[[], None] | None = None
    system: Time = field(factory=lambda: system_host().time)

    def now(self) -> datetime:
        """Return the moment that the clock shows."""
        then, self.then = self.then, None
        if then is not None:
            then()
        return self.system.now() + self.ahead

    def monotonic(self) -> float:
        """Return seconds on a clock that nobody sets."""
        return self.system.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Wait, whatever the clock shows."""
        await self.system.sleep(duration)


@final
@define(eq=False)
class Disk:
    """The space that one process has: what limits it, and the writer connections that feel it."""

    writers: list[sqlite3.Connection] = field(factory=list)

    def fill(self, *, of: str, folder: Path) -> None:
        """Leave no space: for pages of a database, or for any file that is longer than the ledgers are."""
        if of == "pages":
            for writer in self.writers:
                (pages,) = writer.execute("PRAGMA page_count").fetchone()
                writer.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        else:
            longest = max(path.stat().st_size for path in folder.glob("*.jsonl"))
            self._limit(longest + _LEDGERS)

    def free(self) -> None:
        """Give all space back."""
        for writer in self.writers:
            writer.execute(f"PRAGMA max_page_count = {_PAGES}").fetchone()
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@define(eq=False)
class Body:
    """What a process has of the machine and a test may tamper with."""

    time: SteppedTime = field(factory=SteppedTime)
    disk: Disk = field(factory=Disk)
    medium: Medium | None = None
