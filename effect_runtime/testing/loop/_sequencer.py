"""What runs next: the one queue under all event loops of a simulated world, its virtual time and its questions.

A fiber goes on until it waits. Then comes the oldest handle that is ready, then the fiber that was parked first, then
the next timer. What anyio wants to deliver again comes before each, once. Knows handles and names, no application.
"""

from __future__ import annotations

import heapq
from asyncio import _get_running_loop, _set_running_loop
from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from contextvars import Context, ContextVar
from types import coroutine
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, cast, final

from anyio import CancelScope
from attrs import define

from effect_runtime.testing.loop._site import Alternative, Chooser, Kind, Site
from effect_runtime.testing.loop._trace import Step, Trace

Ending: TypeAlias = Literal["done", "quiet", "restless"]
"""How driving ended: all that was awaited is done; nothing more comes before the horizon; too much at one instant."""

_FAIR: Final = 0x3FF
"""A fiber that goes on by itself gives way once in so many handles, so that waiting for another in a loop ends."""

MAIN: Final = "main"
"""The fiber in which a process opens its application."""

Order: TypeAlias = Literal["run to block", "first come"]
"""Who goes on where nobody chooses: the same fiber until it waits; or whoever is ready first, at each boundary."""

_STAY_OR_SWITCH: Final = ("stay", "switch")


class Rest(NamedTuple):
    """What a process that dies at some moment leaves behind, and whether a client's program dies with it."""

    turns: int
    durable: Hashable
    is_used: bool


@define(eq=False)
class Fiber:
    """A line of execution by its name; tasks that it starts run under it. `scope` cancels its program, where it may."""

    process: str
    name: str
    scope: CancelScope | None = None


FIBER: Final[ContextVar[Fiber]] = ContextVar("effect_runtime.testing.fiber")
"""The fiber of the running task. A context variable, because every task inherits the context it was started in."""


class Life(Protocol):
    """An event loop as the sequencer knows it. `is_still`: it is dead or paused, and nothing of it runs."""

    is_still: bool

    def put_aside(self, handle: Handle) -> None:
        """Take what would run now, were it not still."""
        ...


@final
class Handle:
    """Something to call in one life of a process; `when` is for timers."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "life", "timer_at")

    def __init__(self, callback: Any, args: tuple[Any, ...], context: Context, life: Life, at: float = 0.0) -> None:
        self.callback: Any = callback
        self.args = args
        self.context = context
        self.life = life
        self.timer_at = at
        self.is_cancelled = False

    def cancel(self) -> None:
        """Call nothing."""
        self.is_cancelled = True
        self.callback, self.args = None, ()  # whatever they hold must not live as long as a far timer

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self.is_cancelled

    def when(self) -> float:
        """Return the moment of a timer."""
        return self.timer_at


@final
class Sequencer:
    """The queue of one run. `current` is the context whose handle is running: what it schedules for itself comes first.

    `bound` is how many handles may run at one instant of virtual time before the run counts as restless; `busiest` is
    how many have in a run that comes to an end. `turns` counts what a process that dies leaves behind in others: who
    else has run, time that has passed, what clients were told. `outlives` tells the state of what is durable.
    """

    __slots__ = (
        "_asked", "_bound", "_choose", "_count", "_is_fair", "_parks", "_retried", "_yields", "asked", "busiest",
        "current", "interruption", "now", "outlives", "own", "parked", "plan", "ready", "redeliveries", "remains",
        "timers", "trace", "troubles", "turns", "unfinished",
    )  # fmt: skip

    def __init__(
        self, chooser: Chooser, *, order: Order = "run to block", bound: int = 20_000, strict: bool = True
    ) -> None:
        self._choose = chooser.choose
        self._bound = bound
        self._is_fair = order == "first come"
        self.now = 0.0
        self.current: Context | None = None
        self.own: deque[Handle] = deque()
        self.ready: deque[Handle] = deque()
        self.redeliveries: list[Handle] = []
        self.parked: deque[Handle] = deque()
        self.timers: list[tuple[float, int, Handle]] = []
        self.troubles: list[BaseException] = []
        self.trace = Trace(strict=strict)
        self.asked: list[tuple[Site, Sequence[Alternative]]] = []
        self.plan: dict[Site, int] = {}
        self.unfinished = 0
        self.busiest = 0
        self.turns = 0
        self.interruption: KeyboardInterrupt | None = None
        self.outlives: Callable[[], Hashable] | None = None
        self.remains: dict[Site, tuple[Rest | None, Rest | None]] = {}
        self._asked: dict[tuple[str, str, str, Kind], int] = {}
        self._count = 0
        self._parks = False
        self._yields = False
        self._retried = False

    # Scheduling: called by event loops.

    def soon(self, handle: Handle) -> None:
        """Queue a handle: first of all when the running fiber means itself."""
        if handle.context is not self.current:
            self.ready.append(handle)
        elif self._parks:
            self._parks = False
            self.parked.append(handle)
        elif self._yields or self._is_fair:
            self._yields = False
            self.ready.append(handle)
        else:
            self.own.append(handle)

    def later(self, handle: Handle) -> None:
        """Queue a timer. Those of one moment run in the order of their making."""
        self._count += 1
        heapq.heappush(self.timers, (handle.timer_at, self._count, handle))

    async def park(self) -> None:
        """Let everybody else go on until they wait; the running fiber goes on after that."""
        self._parks = True
        await _bare_yield()

    async def give_way(self) -> None:
        """Let those that are ready go first."""
        self._yields = True
        await _bare_yield()

    # Questions: asked by boundaries.

    def ask(self, process: str, fiber: str, operation: str, kind: Kind, alternatives: Sequence[Alternative]) -> int:
        """Ask the chooser and remember the question, and the answer unless it is 0."""
        key = (process, fiber, operation, kind)
        nth = self._asked.get(key, 0) + 1
        self._asked[key] = nth
        site = Site(process, fiber, operation, nth, kind)
        self.asked.append((site, alternatives))
        answer = self._choose(site, alternatives)
        if answer:
            self.plan[site] = answer
            what = f"{alternatives[answer]} at {operation} #{nth}"
            self.trace.deviate(Step(self.now, process, fiber, what), site)
        return answer

    async def offer_switch(self, process: str, fiber: str, operation: str) -> None:
        """Ask whether the running fiber goes on, where somebody else could."""
        key: tuple[str, str, str, Kind] = (process, fiber, operation, "schedule")
        if self.ready or self.parked:
            if self.ask(process, fiber, operation, "schedule", _STAY_OR_SWITCH):
                await self.park()
            elif self._is_fair:
                await self.give_way()
        else:
            self._asked[key] = self._asked.get(key, 0) + 1  # the number of a site must not depend on the others

    def rest(self, *, is_used: bool) -> Rest | None:
        """Return what would be left if the running process died now: where it is the same, two crashes are one."""
        return None if self.outlives is None else Rest(self.turns, self.outlives(), is_used)

    def tell(self, process: str, fiber: str, what: str, *values: Any) -> None:
        """Add a step to the trace."""
        self.trace.add(Step(self.now, process, fiber, what, values))

    def trouble(self, error: BaseException) -> None:
        """Keep what nobody caught."""
        self.heed(error)
        self.troubles.append(error)

    def heed(self, error: BaseException) -> None:
        """End the driving if this is a person's interruption: it is no part of the run, whoever may catch it."""
        self.interruption = self.interruption or _interruption(error)

    # Driving: called by whoever owns the run.

    def drive(self, horizon: float) -> Ending:
        """Run until nobody is unfinished and all wait, or nothing comes before `horizon`, or time stands still."""
        outer = _get_running_loop()
        try:
            return self._drive(horizon)
        finally:
            self.current = None
            _set_running_loop(outer)

    def _drive(self, horizon: float) -> Ending:
        own, ready, running, count = self.own, self.ready, None, 0
        while True:
            if self.redeliveries and not self._retried:
                self._redeliver()
                running = None
            if own:
                handle = own.popleft()
            elif ready:
                handle = ready.popleft()
            elif not self.unfinished and not self.parked:
                self.busiest = max(self.busiest, count)
                return "done"
            else:
                at = self.now
                found = self.parked.popleft() if self.parked else self._next_timer(horizon)
                if found is None:
                    return "quiet"
                handle = found
                if self.now != at:
                    self.busiest = max(self.busiest, count)
                    count = 0
            self._retried = False
            if handle.is_cancelled:
                continue
            if handle.life.is_still:
                handle.life.put_aside(handle)
                continue
            if handle.life is not running:
                running = handle.life
                self.turns += 1
                _set_running_loop(cast("Any", running))
            context = self.current = handle.context
            try:
                context.run(handle.callback, *handle.args)
            except Exception as error:  # of a plain callback: a task keeps its own
                self.troubles.append(error)
            if self.interruption is not None:
                raise self.interruption
            count += 1
            if not count & _FAIR:
                ready.extend(own)
                own.clear()
                if count > self._bound:
                    return "restless"

    def _redeliver(self) -> None:
        """Deliver cancellations again. It happens before each handle, as often as in asyncio or more often."""
        self._retried = True
        due, self.redeliveries = self.redeliveries, []
        self.current = None
        for handle in due:
            if handle.life.is_still:
                handle.life.put_aside(handle)
            elif not handle.is_cancelled:
                _set_running_loop(cast("Any", handle.life))
                handle.context.run(handle.callback, *handle.args)

    def _next_timer(self, horizon: float) -> Handle | None:
        timers = self.timers
        while timers and timers[0][0] <= horizon:
            at, _, handle = heapq.heappop(timers)
            if handle.life.is_still:
                handle.life.put_aside(handle)  # without letting time pass: nobody notices it now
            elif not handle.is_cancelled:
                # Never rounded: a timer that finds itself early would set itself again at this very instant.
                self.now = max(self.now, at)
                self.turns += 1
                while timers and timers[0][0] <= self.now:  # whoever is due now could go first
                    self.ready.append(heapq.heappop(timers)[2])
                return handle
        return None


def _interruption(error: BaseException) -> KeyboardInterrupt | None:
    """Find somebody's Ctrl-C, which task groups have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := _interruption(each)) is not None), None)
    return error if isinstance(error, KeyboardInterrupt) else None


@coroutine
def _bare_yield() -> Generator[None, Any, None]:
    yield
