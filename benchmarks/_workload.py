"""What a workload is and how its observations are judged. Pure values: starts no process, reads no clock.

A figure is what one fresh process reports. Ours and theirs are observed in rounds, one of each per round, and a round
is drawn as a pair: what disturbs both sides alike then cancels out in the ratio.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median
from typing import Literal

from attrs import Attribute, field, frozen

Verdict = bool | Literal["inconclusive"]
RESAMPLES = 2_000


def _has_both_parts(_side: Side, _attribute: Attribute[str], place: str) -> None:
    if place.count(":") != 1:
        raise ValueError(f"a side is written module:function, not {place!r}")


@frozen
class Side:
    """One of the two programs of a workload: a function, and the environment that it runs in."""

    place: str = field(validator=_has_both_parts)
    """`module:function`; the function takes a count and gives `(figure, result)`."""
    environment: str = "own"


@frozen
class Target:
    """What the figure or the ratio should reach."""

    bound: float
    better: Literal["lower", "higher"]
    of: Literal["ratio", "ours"] = "ratio"
    stretch: float | None = None

    def judge(self, interval: Interval, noise: float) -> Verdict:
        """Say whether the whole interval, widened by the noise of A against A, lies on the good side of the bound."""
        low, high = interval.low / (1 + noise), interval.high * (1 + noise)
        if self.better == "lower":
            return True if high <= self.bound else False if low > self.bound else "inconclusive"
        return True if low >= self.bound else False if high < self.bound else "inconclusive"


@frozen
class Workload:
    """Two programs that must give the same result, and the target that their figures are held against."""

    name: str
    claim: str
    unit: str
    peer: str
    ours: Side
    theirs: Side
    target: Target
    count: int
    expected: Callable[[int], object]
    """What both sides must answer when they are asked for so many."""
    chapter: Literal["interpreter", "peers", "memory", "import", "durable"] = "interpreter"
    rounds: int = 11
    """How many observations of each side are enough: few where the figure hardly varies."""


@frozen
class Interval:
    """A central value with the bounds between which 95 of 100 resamples fall."""

    centre: float
    low: float
    high: float


def ratio_interval(ours: list[float], theirs: list[float], *, seed: int) -> Interval:
    """Give the ratio of the medians; rounds are resampled as pairs, always in the same way for one seed."""
    draw = random.Random(seed)
    pairs = list(zip(ours, theirs, strict=True))
    drawn = (draw.choices(pairs, k=len(pairs)) for _ in range(RESAMPLES))
    ratios = sorted(median(a for a, _ in sample) / median(b for _, b in sample) for sample in drawn)
    return _interval(median(ours) / median(theirs), ratios)


def median_interval(figures: list[float], *, seed: int) -> Interval:
    """Give the median of the figures with its interval."""
    draw = random.Random(seed)
    medians = sorted(median(draw.choices(figures, k=len(figures))) for _ in range(RESAMPLES))
    return _interval(median(figures), medians)


def noise_of(same_against_same: Interval) -> float:
    """Give the largest distance from 1 that A against A shows: what this machine can fake just now."""
    return max(abs(same_against_same.high - 1), abs(1 - same_against_same.low))


def _interval(centre: float, ordered: list[float]) -> Interval:
    edge = len(ordered) // 40
    return Interval(centre, ordered[edge], ordered[-1 - edge])
