"""What may go wrong at a boundary, as values: each knows how it meets whoever stands there.

Which of them a world allows is the world's word; a fault that no contract allows would be a false alarm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol, final

import anyio
from attrs import field, frozen
from returns.result import Failure

from effect_runtime.testing._sequencer import Fiber

Go = Callable[[], Awaitable[Any]]


class Victim(Protocol):
    """The process that a fault happens to."""

    async def crash(self) -> None:
        """Die. Nobody returns from this."""
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
class Fails:
    """An operation fails as it declares: `method` of a port or an adapter, answering with `failure`.

    An exception is raised, anything else is a typed failure. `applied`: it took effect, and only its answer was lost.
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


@frozen(kw_only=True)
class Faults:
    """What a world allows to go wrong.

    `crashes` at every boundary; `cancels` of clients; `commits` that fail for a while, as on a full disk; messages
    that come twice or late; operations that `fails` lists; and anything may be as slow as `slow` says.
    """

    crashes: bool = False
    cancels: bool = False
    commits: bool = False
    messages: bool = False
    fails: tuple[Fails, ...] = ()
    slow: tuple[timedelta, ...] = ()
