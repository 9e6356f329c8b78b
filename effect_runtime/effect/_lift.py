"""Lifts: async, sync and blocking functions, `Maybe` and `FutureResult`, seen as effect values.

Knows no loop. A lift keeps the function and its arguments, so that the effect can be run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, final

from returns.io import IOResult
from returns.maybe import Maybe, Some

from effect_runtime.effect._eff import A, Bind, Eff, F, Fail, Pure, from_result

if TYPE_CHECKING:  # Named in annotations alone: importing them takes longer than importing this chapter.
    from returns.future import FutureResult

P = ParamSpec("P")


class _Lifted(Eff[Any, Any, Any]):
    """Keep a function and its arguments."""

    __slots__ = ("arguments", "function", "keywords")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.function = function
        self.arguments = arguments
        self.keywords = keywords


@final
class FromAsync(_Lifted):
    """Call and await."""

    __slots__ = ()


@final
class FromSync(_Lifted):
    """Call."""

    __slots__ = ()


@final
class FromBlocking(_Lifted):
    """Call on a thread."""

    __slots__ = ()


def from_async(function: Callable[P, Awaitable[A]], *args: P.args, **kwargs: P.kwargs) -> Eff[A]:
    """Describe calling and awaiting `function`. What it raises is a defect."""
    return FromAsync(function, args, kwargs)


def from_sync(function: Callable[P, A], *args: P.args, **kwargs: P.kwargs) -> Eff[A]:
    """Describe calling `function`, which must not block. What it raises is a defect."""
    return FromSync(function, args, kwargs)


def from_blocking(function: Callable[P, A], *args: P.args, **kwargs: P.kwargs) -> Eff[A]:
    """Describe calling `function` on a thread. A cancellation waits until it returned."""
    return FromBlocking(function, args, kwargs)


def from_maybe(maybe: Maybe[A], error: F) -> Eff[A, F]:
    """Yield what the `Maybe` holds, or fail with `error` if it holds nothing."""
    match maybe:
        case Some(value):
            return Pure(value)
        case _:
            return Fail(error)


def from_future_result(function: Callable[P, FutureResult[A, F]], *args: P.args, **kwargs: P.kwargs) -> Eff[A, F]:
    """Describe calling `function` and awaiting its `FutureResult`.

    It takes the function, because a `FutureResult` can be awaited once and an effect can be run again.
    """

    return Bind(FromAsync(function, args, kwargs), _outcome)


def _outcome(answer: IOResult[A, F]) -> Eff[A, F]:
    # What `unsafe_perform_io` reads; its own type knows `IO` only.
    return from_result(answer._inner_value)
