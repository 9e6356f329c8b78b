"""The ports by which anything below the programs touches time, chance and threads, and their real adapters.

Nothing else in the library reads a clock, draws a random number or starts a thread.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, final
from uuid import UUID

import anyio
import anyio.to_thread
from attrs import field, frozen

P = ParamSpec("P")
T = TypeVar("T")


class Time(Protocol):
    """Tell the time and wait.

    Duties: 1. `now` is aware, in UTC. 2. `monotonic` never goes back; its zero means nothing.
    3. `sleep` can be cancelled, and waits not less than asked.
    """

    def now(self) -> datetime:
        """Return the current moment."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Wait; a duration of nothing lets other tasks run."""
        ...


class Entropy(Protocol):
    """Draw ids and numbers.

    Duties: 1. Ids of one process sort by the moment they were drawn. 2. `random` is in [0, 1).
    """

    def uuid(self) -> UUID:
        """Return a new id."""
        ...

    def random(self) -> float:
        """Return a random number."""
        ...


class Blocking(Protocol):
    """Call functions that block.

    Duties: 1. `run` calls at once, in this thread. 2. `offload` lets the event loop go on, and a cancellation
    waits until the function has returned: it is never abandoned.
    """

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks shortly."""
        ...

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may block long, on a thread."""
        ...


@final
@frozen
class SystemTime:
    """The machine's own clocks and the event loop's sleep."""

    def now(self) -> datetime:
        """Return the current moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Wait; a duration of nothing lets other tasks run."""
        await anyio.sleep(max(0.0, duration.total_seconds()))


@final
class SystemEntropy:
    """The machine's own randomness. Ids are UUID version 7: the millisecond, then a counter, then chance.

    It owns the last moment it drew an id in, so that ids of one millisecond still sort.
    """

    __slots__ = ("_last", "_source")

    def __init__(self) -> None:
        # Not Python's own generator: after a fork both processes would go on with the same numbers.
        self._source = random.SystemRandom()
        self._last = 0

    def uuid(self) -> UUID:
        """Return a new id."""
        # 48 bits of milliseconds followed by 12 bits of counter, as one number that only grows.
        drawn = (time.time_ns() // 1_000_000) << 12
        # Where the clock was set back, or a millisecond gave more than 4,096 ids, the counter runs on into later
        # ones.
        self._last = max(drawn, self._last + 1)
        stamp, counter = self._last >> 12, self._last & 0xFFF
        tail = self._source.getrandbits(62)
        # RFC 9562: 48 bits of time, version 7, 12 bits that sort within it, variant 10, chance.
        return UUID(int=stamp << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail)

    def random(self) -> float:
        """Return a random number."""
        return self._source.random()


@final
@frozen
class SystemBlocking:
    """This thread, and anyio's worker threads."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks shortly."""
        return function(*args, **kwargs)

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may block long, on a thread."""
        call: Callable[[], Any] = partial(function, *args, **kwargs)
        result: T = await anyio.to_thread.run_sync(call, abandon_on_cancel=False)
        return result


@final
@frozen
class Host:
    """Hold the three ports that an interpreter and everything above it use."""

    time: Time = field(factory=SystemTime)
    entropy: Entropy = field(factory=SystemEntropy)
    blocking: Blocking = field(factory=SystemBlocking)


def system_host() -> Host:
    """Return a host of the machine's own clock, chance and threads."""
    return Host()
