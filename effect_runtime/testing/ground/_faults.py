"""What may go wrong at a boundary, as values: each knows how it meets whoever stands there.

Which of them a world allows is the world's word; a fault that no contract allows would be a false alarm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Protocol, final

import anyio
from attrs import field, frozen
from returns.result import Failure

from effect_runtime.app import App
from effect_runtime.testing.loop._sequencer import Fiber

Go = Callable[[], Awaitable[Any]]

_STORM: Final = 3
"""How often a process dies in a row in a storm."""


class Victim(Protocol):
    """The process that a fault happens to. `is_used`: a program of a client has begun there, and has not ended."""

    @property
    def is_used(self) -> bool:
        """Tell whether a program is inside."""
        ...

    async def crash(self, *, again: int = 0) -> None:
        """Die, and `again` so often as soon as it has booted. Nobody returns from this."""
        ...

    async def crash_all(self) -> None:
        """Die together with every other process."""
        ...

    async def upgrade(self) -> None:
        """Die, and boot the next version of the application from then on."""
        ...

    async def pause(self, duration: timedelta) -> None:
        """Stand still, and wake without knowing it."""
        ...

    def jump(self, by: timedelta) -> None:
        """Set the clock on the wall, forwards or backwards."""
        ...


class Fault(Protocol):
    """Something that goes wrong. `title` is its name in plans and reports."""

    @property
    def title(self) -> str:
        """Return its name."""
        ...

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Do what was asked, or not, and answer in its place."""
        ...


class Delay(Protocol):
    """Something that takes time, or time itself: what was asked is done after it."""

    @property
    def title(self) -> str:
        """Return its name."""
        ...

    async def befall(self, victim: Victim) -> None:
        """Happen, before what was asked is done."""
        ...


@final
@frozen
class Crash:
    """The process dies, before or after what it was about to do."""

    after: bool = False

    @property
    def title(self) -> str:
        """Return its name."""
        return "crash after" if self.after else "crash before"

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Die."""
        if self.after:
            await go()
        await victim.crash()


@final
@frozen
class Storm:
    """The process dies in one life after the other as soon as that has opened everything, before one survives."""

    title: str = field(default=f"crash {_STORM} times after", init=False)

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Open, die, and again."""
        await go()
        await victim.crash(again=_STORM - 1)


@final
@frozen
class PowerLoss:
    """Every process dies at the same moment. Before only: the next boundary stands for after."""

    title: str = field(default="crash of all processes before", init=False)

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Die with all others."""
        await victim.crash_all()


@final
@frozen
class Upgrade:
    """The process dies, and its next lives run new code on what the old one has left."""

    title: str = field(default="crash and upgrade before", init=False)

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Die, and come back as another version."""
        await victim.upgrade()


@final
@frozen
class Fails:
    """An operation fails as it declares: `method` of a port or an adapter, answering with `failure`.

    An exception is raised, anything else is a typed failure. `applied`: it took effect, and only its answer was lost.
    A time-out is `TimeoutError()`, once with and once without `applied`.
    """

    method: Any
    failure: Any
    applied: bool = False

    @property
    def title(self) -> str:
        """Return its name."""
        return f"{type(self.failure).__name__}{' after it was done' if self.applied else ''}"

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Fail."""
        if self.applied:
            await go()
        if isinstance(self.failure, BaseException):
            raise self.failure
        return Failure(self.failure)


@final
@frozen
class Cancel:
    """The host cancels the client whose program stands here."""

    title: str = field(default="cancelled", init=False)

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Cancel the fiber; a shield keeps it away as ever."""
        if fiber.scope is not None:
            fiber.scope.cancel()
        await anyio.lowlevel.checkpoint()
        return await go()


@final
@frozen
class AckLost:
    """An acknowledgement does not arrive: who sent it goes on, and the broker delivers again."""

    title: str = field(default="ack lost", init=False)

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Tell the broker nothing."""


@final
@frozen
class Unheard:
    """What was asked is done at once, and its answer comes so much later; `is_awaited` even by who is cancelled."""

    by: timedelta
    is_awaited: bool = False

    @property
    def title(self) -> str:
        """Return its name."""
        return f"answer {_seconds(self.by)} late"

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Do it, and wait; whoever is cancelled meanwhile never hears of it."""
        answer = await go()
        with anyio.CancelScope(shield=self.is_awaited):
            await anyio.sleep(self.by.total_seconds())
        return answer


@final
@frozen
class Slow:
    """Something begins so much later."""

    by: timedelta

    @property
    def title(self) -> str:
        """Return its name."""
        return f"{_seconds(self.by)} late"

    async def befall(self, victim: Victim) -> None:
        """Wait."""
        await anyio.sleep(self.by.total_seconds())


@final
@frozen
class Pause:
    """The whole process stands still for so long, while others go on."""

    duration: timedelta

    @property
    def title(self) -> str:
        """Return its name."""
        return f"paused for {_seconds(self.duration)}"

    async def befall(self, victim: Victim) -> None:
        """Stand still."""
        await victim.pause(self.duration)


@final
@frozen
class Jump:
    """The clock on the wall of a process is set; what measures time passing is not."""

    by: timedelta

    @property
    def title(self) -> str:
        """Return its name."""
        return f"clock {_seconds(abs(self.by))} {'back' if self.by < timedelta(0) else 'ahead'}"

    async def befall(self, victim: Victim) -> None:
        """Set the clock."""
        victim.jump(self.by)


@frozen(kw_only=True)
class Faults:
    """What a world allows to go wrong.

    `crashes` of a process at every boundary, `power` loss of all at once, `storms` of crashes while one boots;
    `upgrade`: a process may come back as that next version of the application. `cancels` of clients. `commits` that
    fail for a while, as on a full disk; `verdicts` on commits that are lost, whether those were done or not;
    `conflicts` of units with others. `messages` that come twice, late or after they were lost, and acknowledgements
    that are lost; `poison`: strangers' messages that nobody can read. Operations that `fails` lists. Anything may
    begin as late as `slow` says, what is done outside or committed be answered as late as `answers` say, a whole
    process stand still as long as `pauses` say, and its clock on the wall be set as far as `clocks` say. Each costs a
    plan for each place where it may happen.
    """

    crashes: bool = False
    power: bool = False
    storms: bool = False
    upgrade: App | None = None
    cancels: bool = False
    commits: bool = False
    verdicts: bool = False
    conflicts: bool = False
    messages: bool = False
    poison: bool = False
    fails: tuple[Fails, ...] = ()
    slow: tuple[timedelta, ...] = ()
    answers: tuple[timedelta, ...] = ()
    pauses: tuple[timedelta, ...] = ()
    clocks: tuple[timedelta, ...] = ()

    @property
    def deaths(self) -> tuple[Fault, ...]:
        """Return in which ways a process may die at any boundary."""
        crashes: tuple[Fault, ...] = (Crash(), Crash(after=True)) if self.crashes else ()
        power: tuple[Fault, ...] = (PowerLoss(),) if self.power else ()
        return (*crashes, *power, *((Upgrade(),) if self.upgrade is not None else ()))

    def unheard(self, *, is_awaited: bool) -> tuple[Fault, ...]:
        """Return how late the answer of something may come that nobody can undo any more."""
        return tuple(Unheard(by, is_awaited) for by in self.answers)

    @property
    def delays(self) -> tuple[Delay, ...]:
        """Return what may pass, or be set, before anything is done."""
        return (*map(Slow, self.slow), *map(Pause, self.pauses), *map(Jump, self.clocks))


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
