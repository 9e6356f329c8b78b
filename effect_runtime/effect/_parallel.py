"""Combinators over several programs at once: all of them, the first of them, or one in the background.

Knows no task and no loop: each is an instruction that lists its programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Never, final, overload

from typing_extensions import TypeVar

from effect_runtime.effect._eff import A, A_co, B, E_co, Eff, F, G, S

C = TypeVar("C")
H = TypeVar("H")
T = TypeVar("T")


class _Several(Eff[Any, Any, Any]):
    """List the programs that an instruction is about."""

    __slots__ = ("sources",)

    def __init__(self, sources: tuple[Eff[Any, Any, Any], ...]) -> None:
        self.sources = sources


@final
class Gather(_Several):
    """Run all at once; yield all values, or the failure with the lowest index."""

    __slots__ = ()


@final
class Validate(_Several):
    """Run all at once; yield all values, or fail with all failures."""

    __slots__ = ()


@final
class Race(_Several):
    """Run all at once; yield the first value."""

    __slots__ = ()


@final
class ForEach(Eff[Any, Any, Any]):
    """Run one program per item, at most `limit` at once."""

    __slots__ = ("function", "items", "limit")

    def __init__(self, items: tuple[Any, ...], function: Callable[[Any], Eff[Any, Any, Any]], limit: int) -> None:
        self.items = items
        self.function = function
        self.limit = limit


@final
class Fork(Eff[Any, Any, Any]):
    """Start a program in the background of the enclosing scope."""

    __slots__ = ("source",)

    def __init__(self, source: Eff[Any, Any, Any]) -> None:
        self.source = source


class Fiber(Generic[A_co, E_co]):
    """Stand for a program that runs in the background; `join` or `cancel` it."""

    __slots__ = ()


@final
class Join(Eff[Any, Any, Any]):
    """Wait for a fiber and end as it ended."""

    __slots__ = ("fiber",)

    def __init__(self, fiber: Fiber[Any, Any]) -> None:
        self.fiber = fiber


@final
class Cancel(Eff[None]):
    """Cancel a fiber and wait until it ended."""

    __slots__ = ("fiber",)

    def __init__(self, fiber: Fiber[Any, Any]) -> None:
        self.fiber = fiber


@overload
def gather(first: Eff[A, F, S], second: Eff[B, G, S], /) -> Eff[tuple[A, B], F | G, S]: ...
@overload
def gather(first: Eff[A, F, S], second: Eff[B, G, S], third: Eff[C, H, S], /) -> Eff[tuple[A, B, C], F | G | H, S]: ...
@overload
def gather(*effects: Eff[A, F, S]) -> Eff[tuple[A, ...], F, S]: ...
def gather(*effects: Any) -> Any:
    """Run all at once and yield their values in order.

    The first failure or defect cancels the others. Of several outcomes the defects win, then the failure with the
    lowest index; the others become notes.
    """
    return Gather(effects)


def validate(*effects: Eff[A, F, S]) -> Eff[tuple[A, ...], tuple[F, ...], S]:
    """Run all at once, each to its end, and yield their values, or fail with all failures, in order."""
    return Validate(effects)


@overload
def race(first: Eff[A, F, S], second: Eff[B, G, S], /) -> Eff[A | B, F | G, S]: ...
@overload
def race(*effects: Eff[A, F, S]) -> Eff[A, F, S]: ...
def race(*effects: Any) -> Any:
    """Run all at once, yield the first value, and cancel the others.

    When all fail, it fails with the failure of the lowest index. A defect ends the race at once.
    """
    if not effects:
        raise TypeError("race() needs at least one effect: an empty race would never end. Pass one.")
    return Race(effects)


def for_each(items: Iterable[T], function: Callable[[T], Eff[A, F, S]], *, limit: int = 1) -> Eff[tuple[A, ...], F, S]:
    """Run `function(item)` for each item, at most `limit` at once, and yield the values in the order of the items.

    `limit=1` runs them one after another. The first failure cancels what still runs and starts no more.
    """
    if limit < 1:
        raise ValueError(f"for_each(limit={limit}) would run nothing. Pass 1 or more.")
    # Taken now: an iterator is empty the second time, and an effect can be run again.
    return ForEach(tuple(items), function, limit)


def fork(eff: Eff[A, F, S]) -> Eff[Fiber[A, F], Never, S]:
    """Start `eff` in the background of the enclosing `scoped`, which cancels it at its end.

    A defect in it cancels that scope at once; a failure that nobody joined becomes the defect `UnjoinedFailure`.
    """
    return Fork(eff)


def join(fiber: Fiber[A, F]) -> Eff[A, F]:
    """Wait for a fiber, and end as it ended. One that was cancelled is the defect `FiberCancelled`."""
    return Join(fiber)


def cancel(fiber: Fiber[Any, Any]) -> Eff[None]:
    """Cancel a fiber, and go on when its finalizers have run."""
    return Cancel(fiber)
