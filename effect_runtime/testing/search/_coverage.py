"""What a search has been through: plans, distinct outcomes, and at which places what has happened.

A count of runs alone says nothing; a search says what it has tried, and what was on offer and was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, final

from attrs import define, field, frozen

from effect_runtime.testing.loop._site import Alternative, Kind, Site
from effect_runtime.testing.world._run import Run

Place: TypeAlias = tuple[str, str, str]
"""A process, a fiber and an operation: a site without its number."""

_NAMED: Final = 2
"""Places that are named of those where something was never tried."""


@final
@frozen
class Tally:
    """At how many places something was tried, of those where it could happen. `missed` names some of the others."""

    tried: int
    offered: int
    missed: tuple[str, ...] = field(default=(), eq=False, repr=False)

    def __str__(self) -> str:
        return f"{self.tried}/{self.offered}"


@final
@frozen(kw_only=True)
class Covered:
    """What was tried without finding anything.

    Every plan with up to `deviations` departures from the boring run was tried, `plans` in all, or is one of those
    `alike`: a crash in them leaves the same behind as one that was tried. The rest was `drawn`.
    `distinct` counts the different outcomes. `boundaries` has for each thing that may happen at how many places it was
    tried; a place is an operation of a fiber, however often it comes there. `further` counts the plans of one deviation
    more, of which some were not tried. `reached` names the claims of `sometimes` that held at least once, `stopped`
    says why the search ended.
    """

    deviations: int
    plans: int
    drawn: int
    distinct: int
    sites: int
    boundaries: Mapping[Alternative, Tally]
    alike: int = 0
    further: int = 0
    reached: tuple[str, ...] = ()
    stopped: str = ""

    def __str__(self) -> str:
        further = f" and {self.further:,} of those with {self.deviations + 1}" if self.further else ""
        stopped = f"; ended because {self.stopped}" if self.stopped else ""
        return f"covered: {self.within}{further}; {_told(self)}{stopped}"

    @property
    def within(self) -> str:
        """Return what was tried without a gap, in words."""
        if not self.deviations:
            return "the boring run"
        return f"all plans with <= {self.deviations} deviation{'s' if self.deviations > 1 else ''}"


@final
@frozen(kw_only=True)
class Complete:
    """Every plan there is was tried without finding anything: the world is finite, and this is a proof about it.

    It is about these clients, these faults and these claims. The fields are those of `Covered`.
    """

    plans: int
    distinct: int
    sites: int
    boundaries: Mapping[Alternative, Tally]
    alike: int = 0
    reached: tuple[str, ...] = ()
    drawn: int = 0

    def __str__(self) -> str:
        return f"complete: {self.within}; {_told(self)}"

    @property
    def within(self) -> str:
        """Return what was tried without a gap, in words."""
        return "every plan there is"


def _told(found: Covered | Complete) -> str:
    alike = f", {found.alike:,} alike" if found.alike else ""
    drawn = f" and {found.drawn:,} drawn" if found.drawn else ""
    matrix = "".join(f"; {words}" for words in _matrix(found.boundaries))
    reached = f"; reached: {', '.join(found.reached)}" if found.reached else ""
    plans = f"{found.plans:,} plans{alike}{drawn}, {found.distinct:,} distinct outcomes"
    return f"{plans}, {found.sites} sites{matrix}{reached}"


def _matrix(boundaries: Mapping[Alternative, Tally]) -> Iterator[str]:
    """Say of each thing where it was tried; before and after go together where they come to the same."""
    for title, tally in boundaries.items():
        before, after = f"{title.removesuffix('after')}before", f"{title.removesuffix('before')}after"
        if title.endswith("before") and boundaries.get(after) == tally:
            continue
        both = title.endswith("after") and boundaries.get(before) == tally
        named = f"{before}/after" if both else title
        missed = f" (never at {', '.join(tally.missed)}{' ...' if _is_more(tally) else ''})" if tally.missed else ""
        yield f"{named}: {tally} places{missed}"


def _is_more(tally: Tally) -> bool:
    return tally.offered - tally.tried > len(tally.missed)


@define(eq=False)
class Coverage:
    """The count of a search. Owned by it. `last_outcome` is that of the run which was counted last."""

    plans: int = 0
    drawn: int = 0
    deviations: int = 0
    alike: int = 0
    stopped: str = ""
    last_outcome: str = ""
    outcomes: set[str] = field(factory=set)
    reached: dict[str, None] = field(factory=dict)
    _offered: dict[Alternative, set[Place]] = field(factory=dict)
    _tried: dict[Alternative, set[Place]] = field(factory=dict)
    _known: set[tuple[Place, Kind]] = field(factory=set)
    _sizes: dict[int, int] = field(factory=dict)

    def count_alike(self, alike: Iterable[tuple[Site, Alternative]]) -> None:
        """Count crashes that need not be tried, because they leave the same behind as one that was."""
        for site, title in alike:
            self.alike += 1
            self._tried.setdefault(title, set()).add(site[:3])

    def add(self, run: Run, *, drawn: bool = False) -> bool:
        """Count a run; return whether its outcome is new."""
        self.plans += not drawn
        self.drawn += drawn
        if not drawn:
            self._sizes[len(run.plan)] = self._sizes.get(len(run.plan), 0) + 1
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
        self.last_outcome = run.trace.outcome
        self.outcomes.add(self.last_outcome)
        return len(self.outcomes) > before

    @property
    def boundaries(self) -> dict[Alternative, Tally]:
        """Return for each thing that may happen where it was tried, of where it was offered."""
        return {title: self._tally(title, places) for title, places in sorted(self._offered.items())}

    def _tally(self, title: Alternative, places: set[Place]) -> Tally:
        missed = sorted(places - self._tried.get(title, set()))
        named = tuple(f"{process}/{fiber} {operation}" for process, fiber, operation in missed[:_NAMED])
        return Tally(len(places) - len(missed), len(places), named)

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
            further=self._sizes.get(self.deviations + 1, 0),
            reached=tuple(self.reached),
            stopped=self.stopped,
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
