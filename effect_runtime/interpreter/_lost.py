"""Effects that a block built and nobody will ever run, found while it runs: for debug mode, which may be slow.

Watches one step of a block with a profile function. It knows an effect as lost when, at the end of the step that built
it, nobody holds it and nobody has iterated it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, final

from effect_runtime.effect import Eff
from effect_runtime.errors import RunningWarning
from effect_runtime.interpreter._traceback import is_ours

_HELD_BY_US = 3
"""The references to an effect that nobody else holds: our record, the loop variable, and `getrefcount` itself."""


def watched(go_on: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a way to go on with a block that does what `go_on` does, and warns of the effects that the block loses."""

    def watching(value: Any) -> Any:
        with _Step():
            return go_on(value)

    return watching


@final
class _Step:
    """One step of a block: the effects that were built in it, where, and which of them were iterated."""

    __slots__ = ("_built", "_outer", "_used")

    def __init__(self) -> None:
        # By id, with the effect beside it: held to the end of the step, so that no other object can get the same id.
        self._built: dict[int, tuple[Any, str]] = {}
        self._used: set[int] = set()
        self._outer: Any = None

    def __enter__(self) -> None:
        self._outer = sys.getprofile()
        sys.setprofile(self._notice)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._outer)
        # A step that ends with an error loses what it had built, and is right to.
        if _[0] is None or _[0] is StopIteration:
            self._report()

    def _notice(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == "__iter__":
            self._used.add(id(frame.f_locals.get("self")))
        elif event == "return" and isinstance(argument, Eff):
            # Where it was returned first is where it was built: every function that hands it on returns it, too.
            self._built.setdefault(id(argument), (argument, _line(frame.f_back)))

    def _report(self) -> None:
        for key in tuple(self._built):
            effect, place = self._built[key]
            # The tuple is unpacked, so its own reference is the record's.
            if key not in self._used and sys.getrefcount(effect) <= _HELD_BY_US:
                problem = f"{effect!r} was built and is lost: nothing will run it."
                warnings.warn(RunningWarning(place, problem, "Write `yield from` before it."), stacklevel=5)


def _line(frame: FrameType | None) -> str:
    while frame is not None and is_ours(frame.f_code):
        frame = frame.f_back
    if frame is None:
        return "the program"
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
