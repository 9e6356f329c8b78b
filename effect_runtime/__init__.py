"""Effects as values, one unit of work, events that are never lost.

The names of daily use are here; the rest are at the door of their chapter, in the order in which they build on each
other: `effect` (what should happen), `interpreter` (how it unfolds), `runtime` (with what).
"""

from __future__ import annotations

from effect_runtime.effect import (
    A,
    Died,
    Do,
    E,
    Eff,
    Failed,
    Schedule,
    Succeeded,
    acquire,
    attempt,
    catch,
    do,
    ensure,
    fail,
    gather,
    guard,
    provide,
    recover,
    require,
    retry,
    scoped,
    succeed,
)
from effect_runtime.interpreter import run, run_exit
from effect_runtime.runtime import ask, operation

__all__ = [
    "A",
    "Died",
    "Do",
    "E",
    "Eff",
    "Failed",
    "Schedule",
    "Succeeded",
    "acquire",
    "ask",
    "attempt",
    "catch",
    "do",
    "ensure",
    "fail",
    "gather",
    "guard",
    "operation",
    "provide",
    "recover",
    "require",
    "retry",
    "run",
    "run_exit",
    "scoped",
    "succeed",
]
