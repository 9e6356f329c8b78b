"""Stretches of a trace that come again and again, told once.

Knows steps and nothing of what they mean. Times do not count: who waits a second each time goes in circles, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from effect_runtime.testing.loop._site import Site
from effect_runtime.testing.loop._trace import Step

_LONGEST: Final = 200
"""Steps of the longest round that is looked for."""

_TIMES: Final = 3
_STEPS: Final = 10
"""A round is told once when it comes at least so many times, and in so many steps."""


class Row(NamedTuple):
    """A step as it is told: its number in the trace, and the site if it is a deviation."""

    number: int
    step: Step
    site: Site | None


class Rounds(NamedTuple):
    """What follows a round: the same `size` steps, so many `times` more, the last one at a moment."""

    size: int
    times: int
    until: float

    @property
    def steps(self) -> int:
        """Return how many steps that are."""
        return self.size * self.times

    def __str__(self) -> str:
        these = "this step comes" if self.size == 1 else f"the last {self.size} of these come"
        return f"  ... {self.steps} steps: {these} again and again, until t={self.until:.3f}"


Entry: TypeAlias = Row | Rounds


def folded(rows: Sequence[Row]) -> list[Entry]:
    """Return the rows, each round that repeats once, and after it how often it came."""
    # A deviation is like no other step, whatever it says.
    keys = [_key(row.step) if row.site is None else row.number for row in rows]
    entries: list[Entry] = []
    at = 0
    while at < len(rows):
        size, times = _round(keys, at)
        entries.extend(rows[at : at + size])
        if times > 1:
            entries.append(Rounds(size, times - 1, rows[at + size * times - 1].step.at))
        at += size * times
    return entries


def _key(step: Step) -> object:
    """Return what makes two steps the same: not the moments that somebody read off a clock."""
    values = tuple(type(value) if isinstance(value, datetime) else value for value in step.values)
    return step.process, step.fiber, step.what, values


def _round(keys: Sequence[object], at: int) -> tuple[int, int]:
    """Return the size of the round that begins at a place, and how often it comes; a step of its own is one, once."""
    for size in range(1, min(_LONGEST, (len(keys) - at) // _TIMES) + 1):
        if keys[at] != keys[at + size]:
            continue
        first, times = keys[at : at + size], 1
        while keys[at + size * times : at + size * (times + 1)] == first:
            times += 1
        if times >= _TIMES and size * times >= _STEPS:
            return size, times
    return 1, 1
