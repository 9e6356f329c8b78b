"""Do-blocks: generator functions turned into effect values that can be run again.

Knows no loop. Nesting costs Python's own delegation, because iterating a block returns its generator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, ParamSpec, final

from effect_runtime.effect._eff import A, E, Eff, Program, R
from effect_runtime.effect._recipe import recipe
from effect_runtime.errors import AsyncBlock

P = ParamSpec("P")


@final
class Block(Eff[Any, Any, Any]):
    """Run a do-block: the function and its arguments, never a started generator.

    Built by `do`. No `__init__`: a class without one is made twice as fast.
    """

    __slots__ = ("arguments", "function", "keywords")

    function: Callable[..., Program[Any, Any, Any]]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    def __iter__(self) -> Generator[Eff[Any, Any, Any], Any, Any]:
        program: Any = (
            self.function(*self.arguments, **self.keywords) if self.keywords else self.function(*self.arguments)
        )
        # A generator is its own iterator; asking it costs as much again as creating it.
        return program if type(program) is GeneratorType else program.__iter__()

    def __repr__(self) -> str:
        return f"<{self.function.__qualname__}(...) effect>"


def do(function: Callable[P, Program[A, E, R]]) -> Callable[P, Eff[A, E, R]]:
    """Turn a do-block function into one that returns a re-runnable effect.

    A function that returns an `Eff` is accepted too. An `async def` is refused with `AsyncBlock`.
    """
    # At the definition: an `async def` called at run time would only leave a coroutine that nobody awaits.
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AsyncBlock(function)
    return recipe(Block, ("function", "arguments", "keywords"), function, function)  # type: ignore[no-any-return]  # edge
