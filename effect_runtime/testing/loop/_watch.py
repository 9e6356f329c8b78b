"""Who reaches for something real by a name that was taken before: `from time import monotonic`, or `datetime.now`.

A profile function is handed each builtin that is called, whatever it is called by. That makes a run take about twice
as long, so only some are watched: the first of a world, and those that are repeated. It sees calls that Python code
makes, and not those that a builtin makes by itself, as `map(monotonic, ...)` does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from random import Random
from types import CodeType, FrameType
from typing import Any, Final

from attrs import frozen

from effect_runtime.testing.loop._strict import LEAKS, Leak, is_allowed, refusal

_MOMENTS: Final = frozenset({"now", "utcnow", "today"})
"""Class methods of `date` and `datetime`, and of whatever inherits from them, that read the clock."""

_CLOCK: Final = LEAKS[0].way_out


@frozen(eq=False)
class Seen:
    """Something real as it is called: a builtin, or the code of a function, which may belong to one object only."""

    called: Any
    name: str
    leak: Leak
    whose: Any = None


@contextmanager
def watching() -> Iterator[None]:
    """Refuse what is reached for by any name, while entered. Who profiles goes on to do so, and nothing is watched."""
    if sys.getprofile() is not None:
        yield
        return
    sys.setprofile(_see)
    try:
        yield
    finally:
        sys.setprofile(None)


def _listed() -> tuple[dict[str, list[Seen]], dict[str, list[Seen]]]:
    """Return what is refused by its own name: builtins, and functions by their code."""
    builtins: dict[str, list[Seen]] = {}
    functions: dict[str, list[Seen]] = {}
    for leak in LEAKS:
        for name, real in leak.present if leak.given is None else ():
            code = getattr(real, "__code__", None)
            if isinstance(code, CodeType):
                seen = Seen(code, leak.named(name), leak, getattr(real, "__self__", None))
                functions.setdefault(code.co_name, []).append(seen)
            elif not name.startswith("_"):  # such a name is a second one
                builtins.setdefault(real.__name__, []).append(Seen(real, leak.named(name), leak))
    return builtins, functions


_BUILTINS, _FUNCTIONS = _listed()


def _see(frame: FrameType, event: str, arg: Any) -> None:
    """Look at one call. Most are let through after one look into a dictionary."""
    if event == "c_call":
        name = arg.__name__
        if name in _BUILTINS:
            for seen in _BUILTINS[name]:
                if seen.called == arg and not is_allowed(frame, seen.leak.allowed):
                    raise refusal(seen.name, seen.leak.way_out, frame=frame)
        elif name in _MOMENTS and _is_moment(arg) and not is_allowed(frame):
            raise refusal(f"{arg.__self__.__name__}.{name}", _CLOCK, frame=frame)
    elif event == "call":
        code = frame.f_code
        if code.co_name in _FUNCTIONS:
            for seen in _FUNCTIONS[code.co_name]:
                if seen.called is code and _belongs(frame, seen) and not is_allowed(frame.f_back, seen.leak.allowed):
                    raise refusal(seen.name, seen.leak.way_out, frame=frame.f_back)


def _is_moment(called: Any) -> bool:
    kind = getattr(called, "__self__", None)
    return isinstance(kind, type) and issubclass(kind, date)


def _belongs(frame: FrameType, seen: Seen) -> bool:
    """Tell whether a method is called on the very object that is refused: a Random with a seed is another."""
    return not isinstance(seen.whose, Random) or frame.f_locals.get("self") is seen.whose
