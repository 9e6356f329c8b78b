"""How plans grow: from what was tried and the places that came up since, to one deviation more.

Knows nothing of running them. Each kind of trouble has its turn, and crashes that leave the same behind are one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar, final

from attrs import define, field, frozen

from effect_runtime.testing.loop._sequencer import Rest
from effect_runtime.testing.loop._site import Alternative, Plan, Site
from effect_runtime.testing.world._process import OnCrash
from effect_runtime.testing.world._run import Run

T = TypeVar("T")

Tail: TypeAlias = Sequence[tuple[Site, Sequence[Alternative]]]


@final
@frozen
class Seed:
    """A plan that was tried, and the sites that came up after its last deviation: what larger plans grow from.

    `remains` says of places that can fail what a crash would leave behind.
    """

    plan: Plan
    tail: Tail
    remains: Mapping[Site, tuple[Rest | None, Rest | None]]
    mode: OnCrash
    has_crashed: bool
    kinds: tuple[Alternative, ...] = ()

    def grown(self, growth: Growth, run: Run, mode: OnCrash) -> Seed:
        """Return what came of one more deviation."""
        has_crashed = self.has_crashed or growth.is_crash
        return Seed(run.plan, _since(run, growth.site), run.remains, mode, has_crashed, growth.kinds)

    def left_by(self, site: Site, title: Alternative) -> Rest | None:
        """Return what a crash at a site would leave; None for what is no crash, or nobody knows."""
        before, after = self.remains.get(site, (None, None))
        if title == "crash after":
            return after
        return before if title.startswith("crash") and title.endswith(" before") else None


@final
@define(eq=False)
class Growth:
    """One more deviation after those of a plan. `alike` are those that it stands for."""

    seed: Seed
    site: Site
    index: int
    title: Alternative
    alike: list[tuple[Site, Alternative]] = field(factory=list)

    @property
    def is_crash(self) -> bool:
        """Tell whether a process dies."""
        return self.title.startswith("crash")

    @property
    def may_meet_clients(self) -> bool:
        """Tell whether a program of a client may die of it, as far as is known."""
        left = self.seed.left_by(self.site, self.title)
        return left is None or left.is_used or "all processes" in self.title

    @property
    def kinds(self) -> tuple[Alternative, ...]:
        """Return what goes wrong, in its order."""
        return (*self.seed.kinds, self.title)

    @property
    def plan(self) -> Plan:
        """Return the larger plan."""
        return {**self.seed.plan, self.site: self.index}

    def is_alike(self, met: dict[Hashable, Growth]) -> bool:
        """Tell whether it comes to the same as one that was met, which then stands for it."""
        left = self.seed.left_by(self.site, self.title)
        if left is None:
            return False
        death, _, _ = self.title.rpartition(" ")
        first = met.setdefault((id(self.seed), self.site.process, death, left), self)
        if first is not self:
            first.alike.append((self.site, self.title))
        return first is not self


def larger(level: Sequence[Seed], random: Random) -> list[Growth]:
    """Return what each plan of a level can grow by, each kind of trouble in its turn; of single ones crashes first.

    A process that dies forgets all that is not durable. So crashes that leave the same behind are one: any of them is
    tried, and stands for the others.
    """
    offered = [
        Growth(seed, site, index, title)
        for seed in level
        for site, titles in seed.tail
        for index, title in enumerate(titles)
        if index
    ]
    random.shuffle(offered)
    met: dict[Hashable, Growth] = {}
    grown = in_turns([growth for growth in offered if not growth.is_alike(met)], key=lambda growth: growth.kinds)
    if not level[0].plan:
        grown.sort(key=lambda growth: not growth.is_crash)
    return grown


def in_turns(items: Iterable[T], *, key: Callable[[T], Hashable]) -> list[T]:
    """Return items so that each kind has its turn, as long as it lasts: the rare must not wait for the frequent."""
    kinds: dict[Hashable, list[T]] = {}
    for item in items:
        kinds.setdefault(key(item), []).append(item)
    longest = max(map(len, kinds.values()), default=0)
    return [each[turn] for turn in range(longest) for each in kinds.values() if turn < len(each)]


def _since(run: Run, site: Site) -> Tail:
    """Return what a run was asked after a site."""
    for number, (asked, _) in enumerate(run.asked):
        if asked == site:
            return run.asked[number + 1 :]
    return ()
