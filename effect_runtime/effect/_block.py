"""Do-blocks: generator functions turned into effect values that can be run again.

Knows no loop. Nesting costs Python's own delegation, because iterating a block returns its generator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any, ParamSpec, final

from effect_runtime.effect._eff import A, E, Eff, Program, R
from effect_runtime.errors import AsyncBlock

P = ParamSpec("P")

_new = object.__new__


@final
class Block(Eff[Any, Any, Any]):
    """Run a do-block: the function and its arguments, never a started generator."""

    __slots__ = ("arguments", "function", "keywords")

    def __init__(
        self, function: Callable[..., Program[Any, Any, Any]], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.keywords = keywords

    def __iter__(self) -> Generator[Eff[Any, Any, Any], Any, Any]:
        if self.keywords:
            return self.function(*self.arguments, **self.keywords).__iter__()
        return self.function(*self.arguments).__iter__()

    def __repr__(self) -> str:
        return f"<{self.function.__qualname__}(...) effect>"


def do(function: Callable[P, Program[A, E, R]]) -> Callable[P, Eff[A, E, R]]:
    """Turn a do-block function into one that returns a re-runnable effect.

    A function that returns an `Eff` is accepted too. An `async def` is refused with `AsyncBlock`.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AsyncBlock(function)

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Eff[A, E, R]:
        # As Block(function, args, kwargs), without the cost of calling an __init__: this is the hot path.
        block: Block = _new(Block)
        block.function = function
        block.arguments = args
        block.keywords = kwargs
        return block

    return build
