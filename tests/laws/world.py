"""What a program of the laws acts on, and what is seen of a run: exit, operations, runtimes, finalizers.

The desk writes every operation with the runtime that it saw, counts the awaits and lets the host cancel at one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime.effect import Ask, Bind, Eff, Raised
from effect_runtime.errors import UnhandledFailure
from effect_runtime.runtime import operation

P = ParamSpec("P")
T = TypeVar("T")

Way: TypeAlias = Callable[[Eff[Any, Any, Any], "Env"], Awaitable[Any]]
"""How a program is run: it returns the value or raises `Raised`, the defect or the cancellation."""


@frozen
class Slip:
    """A failure."""

    number: int


@frozen
class Tear:
    """A failure of another kind."""

    number: int


class Fault(Exception):
    """A defect."""


@frozen
class Act:
    """One operation: its name, whether it waits, and how it ends.

    The first `flaky` calls in a run fail; the others end as `ends` says.
    """

    name: str
    ends: Literal["value", "slip", "tear", "fault"] = "value"
    number: int = 0
    waits: bool = False
    flaky: int = 0


@define
class Desk:
    """The one service: it belongs to one run."""

    strike_at: int | None = None
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    journal: list[tuple[str, str]] = field(factory=list)
    awaits: int = 0
    calls: Counter[tuple[str, str]] = field(factory=Counter)

    @operation(kind="local")
    async def perform(self, act: Act, token: str) -> Result[int, Any]:
        """Write it down, wait, and end as told."""
        self.journal.append((act.name, token))
        if act.waits:
            await self.wait()
            self.journal.append((f"{act.name} done", token))
        caller = act.name, branch_of(token)  # Each branch counts for itself: which is first is up to the engine.
        self.calls[caller] += 1
        if self.calls[caller] <= act.flaky:
            return Failure(Slip(self.calls[caller]))
        if act.ends == "fault":
            raise Fault(f"{act.name} {act.number}")
        return Success(act.number) if act.ends == "value" else Failure(FAILURES[act.ends](act.number))

    async def wait(self) -> None:
        """Be one await of the program, at which the host may cancel it."""
        self.awaits += 1
        if self.awaits == self.strike_at:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


FAILURES: dict[str, Callable[[int], Any]] = {"slip": Slip, "tear": Tear}


@frozen
class Env:
    """The runtime: the desk, and a token by which one runtime is told from another."""

    desk: Desk
    token: str = "root"


def perform(act: Act) -> Eff[int, Any, Env]:
    """Describe one operation on the desk, under whatever runtime is there."""
    return Bind(Ask(), lambda env: env.desk.perform(act, env.token))


@frozen
class Seen:
    """What is seen of one run. Notes of a failure are kept apart: few laws are about them."""

    exit: tuple[Any, ...]
    journal: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = field(default=(), eq=False)
    awaits: int = field(default=0, eq=False)


@define
class StillTime:
    """A clock that stands: waiting takes no time and is written down."""

    waits: list[timedelta] = field(factory=list)

    def now(self) -> datetime:
        """Return the one moment."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        """Return the one instant."""
        return 0.0

    async def sleep(self, duration: timedelta) -> None:
        """Write the wait down."""
        self.waits.append(duration)


async def watch(way: Way, eff: Eff[Any, Any, Any], strike_at: int | None = None) -> Seen:
    """Run a program in a world of its own and return what is seen; the host cancels at one of its awaits."""
    exit: tuple[Any, ...] = ("cancelled",)
    notes: tuple[str, ...] = ()
    desk = Desk(strike_at)
    with desk.scope:
        try:
            ended: tuple[Any, ...] = ("value", await way(eff, Env(desk)))
        except Raised as signal:
            ended = ("failure", signal.error)
            notes = tuple(getattr(signal, "__notes__", ()))
        except Exception as defect:
            ended = ("defect", *leaves(defect))
        # What nobody looked at is still there: a cancellation that was struck late is met here.
        await anyio.lowlevel.checkpoint_if_cancelled()
        exit = ended
    return Seen(exit, in_order(desk.journal), notes, desk.awaits)


def leaves(defect: BaseException) -> Generator[Any]:
    """Flatten groups: which defects there were, in order."""
    if isinstance(defect, BaseExceptionGroup):
        for inner in defect.exceptions:
            yield from leaves(inner)
    elif isinstance(defect, UnhandledFailure):
        yield defect.error
    else:
        yield f"{type(defect).__name__} {defect}"


def in_order(journal: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Sort what ran at once by branch: engines start children in any order."""
    ordered: list[tuple[str, str]] = []
    stretch: list[tuple[str, str]] = []
    for entry in [*journal, ("the end", "")]:
        if branch_of(entry[1]):
            stretch.append(entry)
        else:
            ordered += [*sorted(stretch, key=lambda seen: branch_of(seen[1])), entry]
            stretch.clear()
    return tuple(ordered[:-1])


def branch_of(token: str) -> str:
    """Return which branch a token belongs to: none, or the digit behind its slash."""
    return token.partition("/")[2][:1]


@frozen
class Here:
    """Calls blocking functions here: a thread per call would make every law slow."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call."""
        return function(*args, **kwargs)

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call."""
        return function(*args, **kwargs)
