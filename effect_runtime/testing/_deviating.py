"""Choosers that leave the boring way by chance, a few times in a run: what a search draws before each run.

A draw for each question would be slow and would spread over everything; these decide beforehand how often and roughly
where. Knows sites only by their number and by whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import final

from attrs import frozen

from effect_runtime.testing._site import Alternative, Site


@final
@frozen
class Deviations:
    """A few questions of a run by their numbers, each with what is answered there: how plans are drawn.

    An answer counts the alternatives that are not boring, round and round. Numbers beyond the run change nothing.
    """

    answers: Mapping[int, int]

    def chooser(self) -> Deviating:
        """Return a chooser for one run."""
        return Deviating(self.answers)


@final
class Deviating:
    """Deviate at questions by their numbers."""

    def __init__(self, answers: Mapping[int, int]) -> None:
        self._answers = dict(answers)
        self._asked = 0

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0, or what was drawn for this question."""
        number = self._asked
        self._asked += 1
        if number not in self._answers or len(alternatives) < 2:
            return 0
        return 1 + self._answers[number] % (len(alternatives) - 1)


def sparse(seed: int, *, length: int, most: int) -> Deviating:
    """Return a chooser that deviates at one to `most` of the first questions, about `length` of them."""
    random = Random(seed)
    count = random.randint(1, most)
    reach = max(1, length + length // 4)  # a run that deviates may grow
    return Deviating({random.randrange(reach): random.randrange(1 << 16) for _ in range(count)})


@final
class Pct:
    """Give each fiber a priority by chance and lower it at a few questions: probabilistic concurrency testing.

    A fiber of low priority lets others go first when it is met for the first time; at `depth` questions, drawn
    beforehand, whoever stands there is put off, or is met by whatever else may happen.
    """

    def __init__(self, seed: int, *, length: int, depth: int) -> None:
        self._random = Random(seed)
        reach = max(1, length)
        self._changes = {self._random.randrange(reach) for _ in range(depth)}
        self._low: dict[tuple[str, str], bool] = {}
        self._asked = 0

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0, or another index where the fiber is new and of low priority, or at a point of change."""
        number = self._asked
        self._asked += 1
        others = len(alternatives) - 1
        if others > 0 and number in self._changes:
            return 1 + self._random.randrange(others)
        if site.kind != "schedule":
            return 0
        fiber = site.process, site.fiber
        if fiber in self._low:
            return 0
        self._low[fiber] = low = self._random.random() < 0.5
        return int(low)
