"""Where a run could have gone another way, and who decides: sites, sparse plans, choosers.

Knows no loop and no application. A site is named by what happens there, so that it survives edits and restarts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, Protocol, TypeAlias, final

Kind: TypeAlias = Literal["schedule", "fault", "message", "time", "random"]
"""What a site decides: who goes on, what goes wrong, when a message comes, how long something takes, chance."""

Alternative: TypeAlias = str
"""What could happen at a site, in words. The first is what happens by itself."""


class Site(NamedTuple):
    """One question of a run: the `nth` time that a fiber of a process came to an operation.

    `nth` counts over the whole run, restarts included. A named tuple because a run makes thousands of them.
    """

    process: str
    fiber: str
    operation: str
    nth: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.process}/{self.fiber} {self.operation} #{self.nth} ({self.kind})"


Plan: TypeAlias = Mapping[Site, int]
"""The deviations of a run: which alternative was taken at which site. Empty, it is the boring run."""


class Chooser(Protocol):
    """Decide what happens. Duties: 1. 0 is what happens by itself. 2. The same questions get the same answers."""

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return the index of an alternative."""
        ...


@final
class Canonical:
    """Nothing unusual, ever."""

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0."""
        return 0


@final
class Planned:
    """Deviate as a plan says. `missed` tells which of its sites have not come up: the world has changed since."""

    def __init__(self, plan: Plan) -> None:
        self._plan = dict(plan)
        self._met: dict[Site, None] = {}

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return what the plan says, if the site offers as much; else 0."""
        index = self._plan.get(site, 0)
        if index and index < len(alternatives):
            self._met[site] = None
            return index
        return 0

    @property
    def missed(self) -> tuple[Site, ...]:
        """Return the plan's sites that have not come up, or offered less than the plan wants."""
        return tuple(site for site, index in self._plan.items() if index and site not in self._met)


@final
class Walk:
    """Deviate by chance: at one of `every` sites, whatever they decide. The same seed walks the same way."""

    def __init__(self, seed: int, *, every: int = 8) -> None:
        self._draw = Random(seed).random
        self._share = 1.0 / every

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return 0, or sometimes another index."""
        drawn = self._draw()
        if drawn >= self._share:
            return 0
        others = len(alternatives) - 1
        return 1 + int(drawn / self._share * others) if others > 0 else 0
