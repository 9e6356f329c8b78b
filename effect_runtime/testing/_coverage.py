"""What a search has been through: plans, distinct outcomes, and at which places what has happened.

A count of runs alone says nothing; a search says what it has tried, and what was on offer and was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, final

from attrs import define, field, frozen

from effect_runtime.testing._site import Alternative, Kind, Site
from effect_runtime.testing._world import Run

Place: TypeAlias = tuple[str, str, str]
"""A process, a fiber and an operation: a site without its number."""


@final
@frozen
class Tally:
    """At how many places something was tried, of those where it could happen."""

    tried: int
    offered: int

    def __str__(self) -> str:
        return f"{self.tried}/{self.offered}"


@final
@frozen(kw_only=True)
class Covered:
    """What was tried without finding anything.

    Every plan with up to `deviations` departures from the boring run was tried, `plans` in all, or is one of those
    `alike`: a crash in them leaves the same behind as one that was tried. The rest was `drawn`.
    `distinct` counts the different outcomes. `boundaries` has for each thing that may happen at how many places it was
    tried. `reached` names the claims of `sometimes` that held at least once.
    """

    deviations: int
    plans: int
    drawn: int
    distinct: int
    sites: int
    boundaries: Mapping[Alternative, Tally]
    alike: int = 0
    reached: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"covered: {self.within}; {_told(self)}"

    @property
    def within(self) -> str:
        """Return what was tried without a gap, in words."""
        if not self.deviations:
            return "the boring run"
        return f"all plans with <= {self.deviations} deviation{'s' if self.deviations > 1 else ''}"


@final
@frozen(kw_only=True)
class Complete:
    """Every plan there is was tried without finding anything: the world is finite, and this is a proof about it."""

    plans: int
    distinct: int
    sites: int
    boundaries: Mapping[Alternative, Tally]
    alike: int = 0
    reached: tuple[str, ...] = ()
    drawn: int = 0

    def __str__(self) -> str:
        return f"complete: every plan there is; {_told(self)}"


def _told(found: Covered | Complete) -> str:
    alike = f", {found.alike:,} alike" if found.alike else ""
    drawn = f" and {found.drawn:,} drawn" if found.drawn else ""
    matrix = "; ".join(f"{title}: {tally} places" for title, tally in found.boundaries.items())
    reached = f"; reached: {', '.join(found.reached)}" if found.reached else ""
    plans = f"{found.plans:,} plans{alike}{drawn}, {found.distinct:,} distinct outcomes"
    return f"{plans}, {found.sites} sites; {matrix}{reached}"


@define(eq=False)
class Coverage:
    """The count of a search. Owned by it."""

    plans: int = 0
    drawn: int = 0
    deviations: int = 0
    alike: int = 0
    outcomes: set[str] = field(factory=set)
    reached: dict[str, None] = field(factory=dict)
    _offered: dict[Alternative, set[Place]] = field(factory=dict)
    _tried: dict[Alternative, set[Place]] = field(factory=dict)
    _known: set[tuple[Place, Kind]] = field(factory=set)

    def count_alike(self, alike: Iterable[tuple[Site, Alternative]]) -> None:
        """Count crashes that need not be tried, because they leave the same behind as one that was."""
        for site, title in alike:
            self.alike += 1
            self._tried.setdefault(title, set()).add(site[:3])

    def add(self, run: Run, *, drawn: bool = False) -> bool:
        """Count a run; return whether its outcome is new."""
        self.plans += not drawn
        self.drawn += drawn
        for site, titles in run.asked:
            place = site[:3]
            if (place, site.kind) not in self._known:
                self._known.add((place, site.kind))
                for title in titles[1:]:
                    self._offered.setdefault(title, set()).add(place)
            if site in run.plan:
                self._tried.setdefault(titles[run.plan[site]], set()).add(place)
        self.reached.update(dict.fromkeys(run.reached))
        before = len(self.outcomes)
        self.outcomes.add(run.trace.outcome)
        return len(self.outcomes) > before

    @property
    def boundaries(self) -> dict[Alternative, Tally]:
        """Return for each thing that may happen where it was tried, of where it was offered."""
        return {
            title: Tally(len(self._tried.get(title, set()) & places), len(places))
            for title, places in sorted(self._offered.items())
        }

    @property
    def covered(self) -> Covered:
        """Return what was tried."""
        return Covered(
            deviations=self.deviations,
            plans=self.plans,
            alike=self.alike,
            drawn=self.drawn,
            distinct=len(self.outcomes),
            sites=len(self._known),
            boundaries=self.boundaries,
            reached=tuple(self.reached),
        )

    @property
    def complete(self) -> Complete:
        """Return that everything was tried."""
        return Complete(
            plans=self.plans,
            alike=self.alike,
            drawn=self.drawn,
            distinct=len(self.outcomes),
            sites=len(self._known),
            boundaries=self.boundaries,
            reached=tuple(self.reached),
        )
