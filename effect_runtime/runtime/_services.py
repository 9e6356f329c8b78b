"""The services that almost every runtime holds: the time, ids and chance, as ports, and adapters over a host.

A program never reads a clock itself, so a test can give it another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol, final
from uuid import UUID

from attrs import frozen

from effect_runtime.effect import Eff
from effect_runtime.interpreter import Entropy, Time
from effect_runtime.runtime._operation import operation


class Clock(Protocol):
    """Tell the time and wait.

    Duties: 1. `now` is aware, in UTC. 2. `sleep` can be cancelled, and waits not less than asked.
    """

    def now(self) -> Eff[datetime]:
        """Yield the current moment."""
        ...

    def sleep(self, duration: timedelta) -> Eff[None]:
        """Wait."""
        ...


class Ids(Protocol):
    """Draw ids. Duty: ids of one process sort by the moment they were drawn."""

    def uuid(self) -> Eff[UUID]:
        """Yield a new id."""
        ...


class Random(Protocol):
    """Draw random numbers. Duty: each is in [0, 1)."""

    def random(self) -> Eff[float]:
        """Yield a random number."""
        ...


@final
@frozen
class SystemClock:
    """The host's clock."""

    time: Time

    @operation(kind="local", idempotent=True)
    async def now(self) -> datetime:
        """Yield the current moment."""
        return self.time.now()

    @operation(kind="local", idempotent=True)
    async def sleep(self, duration: timedelta) -> None:
        """Wait."""
        await self.time.sleep(duration)


@final
@frozen
class SystemIds:
    """The host's ids."""

    entropy: Entropy

    @operation(kind="local", idempotent=True)
    async def uuid(self) -> UUID:
        """Yield a new id."""
        return self.entropy.uuid()


@final
@frozen
class SystemRandom:
    """The host's chance."""

    entropy: Entropy

    @operation(kind="local", idempotent=True)
    async def random(self) -> float:
        """Yield a random number."""
        return self.entropy.random()
