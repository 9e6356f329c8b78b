"""The ports of one process over the sequencer: virtual time, counted ids, and no threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, ParamSpec, TypeVar, final
from uuid import UUID

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import define, field

from effect_runtime.interpreter import Host
from effect_runtime.testing.loop._sequencer import Sequencer

P = ParamSpec("P")
T = TypeVar("T")

NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
"""When a run begins, unless it is told otherwise."""


@final
@define(eq=False)
class VirtualTime:
    """The sequencer's time. `skew` is how far the process's clock is ahead; its monotonic clock is not."""

    sequencer: Sequencer
    start: datetime
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the current moment."""
        return self.start + self.skew + timedelta(seconds=self.sequencer.now)

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self.sequencer.now

    async def sleep(self, duration: timedelta) -> None:
        """Wait; a duration of nothing lets others run."""
        seconds = duration.total_seconds()
        if seconds > 0:
            await anyio.sleep(seconds)
        else:
            await checkpoint_if_cancelled()
            await self.sequencer.give_way()


@final
@define(eq=False)
class CountedEntropy:
    """Ids that count, in the form of version 7, and chance from a fixed seed. One for each process, over its lives."""

    sequencer: Sequencer
    number: int
    _drawn: int = 0
    _random: Random = field(factory=lambda: Random(7))

    def uuid(self) -> UUID:
        """Return the next id; it sorts after those before it, and no other process draws it."""
        self._drawn += 1
        return UUID(int=int(self.sequencer.now * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | self._drawn << 16 | self.number)

    def random(self) -> float:
        """Return the next number."""
        return self._random.random()


@final
@define(eq=False)
class InlineBlocking:
    """Calls at once: in a run nothing blocks."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function."""
        return function(*args, **kwargs)

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function, then let go of the loop as a thread would."""
        result = function(*args, **kwargs)
        await anyio.lowlevel.cancel_shielded_checkpoint()
        return result


def virtual_host(sequencer: Sequencer, *, number: int, start: datetime = NOON) -> Host:
    """Return the host of one process."""
    return Host(VirtualTime(sequencer, start), CountedEntropy(sequencer, number), InlineBlocking())
