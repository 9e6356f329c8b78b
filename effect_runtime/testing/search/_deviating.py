"""Choosers that leave the boring way by chance, a few times in a run: what a search draws before each run.

A draw for each question would be slow and would spread over everything; these decide beforehand how often and roughly
where. Knows sites only by their number and by whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import final

from attrs import field, frozen

from effect_runtime.testing.loop._site import Alternative, Chooser, Kind, Site


@final
@frozen
class Deviations:
    """A few questions of a run by their numbers, each with what is answered there: how plans are drawn.

    An answer counts the alternatives that are not boring, round and round. Numbers beyond the run change nothing.
    `priorities`, where they are drawn, make some fibers give way when they are met for the first time.
    """

    answers: Mapping[int, int] = field(factory=dict)
    priorities: int | None = None

    def chooser(self) -> Deviating:
        """Return a chooser for one run."""
        return Deviating(self)


@final
class Deviating:
    """Deviate at questions by their numbers, and where a fiber of low priority comes in."""

    def __init__(self, deviations: Deviations) -> None:
        self._answers = deviations.answers
        self._random = None if deviations.priorities is None else Random(deviations.priorities)
        self._met: set[tuple[str, str]] = set()
        self._asked = 0

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0, or what was drawn."""
        number = self._asked
        self._asked += 1
        if number in self._answers and len(alternatives) > 1:
            return 1 + self._answers[number] % (len(alternatives) - 1)
        if self._random is None or site.kind != "schedule" or (fiber := (site.process, site.fiber)) in self._met:
            return 0
        self._met.add(fiber)
        return int(self._random.random() < 0.5)


@final
class Again:
    """Let one thing happen whenever a fiber comes to an operation, so many times."""

    def __init__(self, place: tuple[str, str, str], kind: Kind, title: Alternative, *, times: int) -> None:
        self._at = (*place, kind)
        self.title = title
        self._left = times

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0, or what happens again."""
        if not self._left or (*site[:3], site.kind) != self._at or self.title not in alternatives:
            return 0
        self._left -= 1
        return alternatives.index(self.title)


@final
class Together:
    """Let several choosers decide, each as if it were alone; who comes first has the say."""

    def __init__(self, *choosers: Chooser) -> None:
        self._choosers = choosers

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return what the first says that leaves the boring way; all are asked, for some count."""
        answers = [chooser.choose(site, alternatives) for chooser in self._choosers]
        return next((answer for answer in answers if answer), 0)


def sparse(random: Random, *, length: int, most: int) -> Deviations:
    """Draw one to `most` deviations among the first questions, about `length` of them."""
    reach = max(1, length + length // 4)  # a run that deviates may grow
    return Deviations({random.randrange(reach): random.randrange(1 << 16) for _ in range(random.randint(1, most))})


def by_priority(random: Random, *, length: int, depth: int) -> Deviations:
    """Draw priorities of fibers and up to `depth` points of change: probabilistic concurrency testing."""
    drawn = sparse(random, length=length, most=depth)
    return Deviations(drawn.answers, random.randrange(1 << 32))
