"""Virtual time for plain functions: one life of one process, which goes on whenever somebody calls.

A call runs until what it called has ended. One that can never end is a deadlock, told with every fiber and the line
where it waits. Knows no application.
"""

from __future__ import annotations

from asyncio import Task
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, final

from effect_runtime.errors import Deadlocked
from effect_runtime.interpreter import Host
from effect_runtime.testing.loop._host import NOON, virtual_host
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import in_asyncio, not_in_trio, ordered_scopes
from effect_runtime.testing.loop._places import lines_awaited
from effect_runtime.testing.loop._sequencer import FIBER, Fiber, Sequencer
from effect_runtime.testing.loop._site import Canonical

T = TypeVar("T")

_FAR: Final = timedelta(days=366)
"""What does not happen within a virtual year does not happen."""

_ENDINGS: Final = {
    "quiet": "everybody waits and nothing will happen",
    "restless": "too much happens at one instant: somebody goes in circles without time passing",
}

_LATER: Final = "everybody waits, and the next thing happens in more than a year"


@final
class Driver:
    """Drive programs on virtual time. `host` is theirs: time passes when all of them wait, ids count up."""

    def __init__(self, *, start: datetime = NOON) -> None:
        self._sequencer = Sequencer(Canonical(), strict=False)
        self._life = Incarnation(self._sequencer, "test")
        self._former: list[Incarnation] = []
        self.host: Host = virtual_host(self._sequencer, number=0, start=start)

    @property
    def passed(self) -> timedelta:
        """Return how much virtual time has passed."""
        return timedelta(seconds=self._sequencer.now)

    def call(self, function: Callable[[], Awaitable[T]], *, name: str = "call") -> T:
        """Run a coroutine function to its end; raises what it raises, or `errors.Deadlocked`."""
        values: list[T] = []
        errors: list[BaseException] = []

        async def called() -> None:
            try:
                values.append(await function())
            except BaseException as error:
                errors.append(error)
            self._sequencer.unfinished -= 1

        self._sequencer.unfinished += 1
        self._begin(called, name)
        self._drive()
        if errors:
            raise errors[0]
        return values[0]

    def start(self, function: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Let something run beside all calls; nobody waits for its end."""
        self._begin(function, name)

    def crash(self) -> None:
        """End whatever runs, as when a process dies: no `finally` of it runs. What starts now is another life's."""
        self._life.is_dead = True
        self._former.append(self._life)
        self._life = Incarnation(self._sequencer, "test")

    def dispose(self) -> None:
        """Close whatever still waits, of every life, silently."""
        for life in (*self._former, self._life):
            life.dispose()

    def _begin(self, function: Callable[[], Awaitable[object]], name: str) -> None:
        context = Context()
        context.run(FIBER.set, Fiber("test", name))
        context.run(in_asyncio)
        self._life.create_task(_awaited(function), name=name, context=context)

    def _drive(self) -> None:
        sequencer = self._sequencer
        with ordered_scopes(), not_in_trio():
            ending = sequencer.drive(sequencer.now + _FAR.total_seconds())
        if sequencer.troubles:
            raise sequencer.troubles[0]
        if ending != "done":
            told = _LATER if ending == "quiet" and self._is_awaiting() else _ENDINGS[ending]
            raise Deadlocked(told, fibers=[_told(task) for task in self._life.waiting])

    def _is_awaiting(self) -> bool:
        """Tell whether somebody will go on, only so late that nobody waits for it."""
        return any(not handle.is_cancelled and handle.life is self._life for _, _, handle in self._sequencer.timers)


async def _awaited(function: Callable[[], Awaitable[object]]) -> None:
    await function()


def _told(task: Task[Any]) -> str:
    """Say on which lines of the user's a task waits, the innermost last."""
    name = "a branch" if task.get_name().startswith("effect_runtime.") else task.get_name()
    return f"{name}: {' -> '.join(lines_awaited(task.get_coro())) or 'waits for the others'}"
