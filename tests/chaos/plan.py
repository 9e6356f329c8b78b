"""What is done to which process, in what order, and to which fleets: drawn from the seed and nothing else.

Knows no process. Two runs of one seed give the same orders; when each comes true is up to the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import product
from random import Random
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from attrs import asdict, frozen

from tests.chaos.failpoints import POINTS

Role = Literal["whole", "producer", "relay", "consumer"]
ROLES: Final[tuple[Role, ...]] = ("whole", "producer", "relay", "consumer")
DOORS: Final[tuple[Role, ...]] = ("whole", "producer")

RANDOM: Final = "random"
ALL: Final = "all"
"""Kill one process from outside at any moment, also while it starts; or all of them at once."""
STOP: Final = "stop"
STOPS: Final = tuple(f"stop:{point}" for point in ("F6", "F7", "F8", "F10", "F11", "F13"))
DISK: Final = "disk"
CLOCK: Final = "clock"
"""Stop a process, anywhere or at a point, until its leases have ended; fill its disk; set its clock. None kills."""

LEASE: Final = timedelta(milliseconds=1500)
"""A sixth of the default lease: the lanes of the dead are lent again sooner, and stopped processes outlive theirs."""
STEP: Final = timedelta(minutes=10)
"""How far a clock that steps is set forward or back."""

_PLACES: Final[Mapping[Role, frozenset[str]]] = MappingProxyType(
    {
        "whole": frozenset(POINTS),
        "producer": frozenset(("F1", "F2", "F3", "F4", "F5", "F15", "F16")),
        "relay": frozenset(("F6", "F7", "F8", "F9", "F14", "F15", "F16")),
        "consumer": frozenset(("F6", "F10", "F11", "F12", "F13", "F14", "F15", "F16")),
    }
)
_AT_ONCE: Final = frozenset(("F1", "F2", "F4", "F5"))
"""Points whose meaning is lost a moment later."""
_RARE: Final = frozenset(("F14", "F16"))
"""Points that a process passes seldom: it dies the first time."""
_LATE: Final[Mapping[str, int]] = MappingProxyType({"F14": 50_000, "F16": 8_000})
"""Microseconds after its point within which a process dies: four thousand where nothing else is said."""
_DECK: Final = (*POINTS, RANDOM, RANDOM, RANDOM, ALL, STOP, DISK, CLOCK)


@frozen(order=True)
class Slot:
    """A place in a fleet, held by one process after the other."""

    role: Role
    number: int

    def __str__(self) -> str:
        return f"{self.role} {self.number}"


@frozen(kw_only=True)
class Cell:
    """One shape of the shop: how many processes do what, on how many files.

    `whole`: one of each kind is one and the same process, which carries its own events without a socket.
    """

    producers: int = 1
    relays: int = 1
    consumers: int = 1
    files: int = 2
    whole: bool = True

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return the places of its processes."""
        parts: tuple[tuple[Role, int], ...] = (
            ("whole", 1 if self.whole else 0),
            ("producer", self.producers - self.whole),
            ("relay", self.relays - self.whole),
            ("consumer", self.consumers - self.whole),
        )
        return tuple(Slot(role, number) for role, count in parts for number in range(1, count + 1))

    def __str__(self) -> str:
        shape = f"{self.producers}/{self.relays}/{self.consumers} on {self.files}"
        return f"{shape}, one whole" if self.whole else shape


CELLS: Final = tuple(
    Cell(producers=producers, relays=relays, consumers=consumers, files=files, whole=whole)
    for producers, relays, consumers, files, whole in product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2), (True, False))
)


@frozen
class Kill:
    """Kill a process: where, at which passing, how long after it, and how long to leave it alone before."""

    slot: Slot
    point: str
    nth: int
    delay: timedelta
    pause: timedelta


@frozen
class Stop:
    """Stop a process at a point, or at any moment, and let it go on after `span`."""

    slot: Slot
    point: str
    nth: int
    span: timedelta
    pause: timedelta


@frozen
class Disk:
    """Leave a process no space for `span`: the database may not get more pages, or no file may get longer."""

    slot: Slot
    full: Literal["pages", "files"]
    span: timedelta
    pause: timedelta


@frozen
class Clock:
    """Set the clock of a process forward or back, and right again after `span`."""

    slot: Slot
    step: timedelta
    span: timedelta
    pause: timedelta


Blow: TypeAlias = Kill | Stop | Disk | Clock


def shuffled_cells(seed: int) -> Iterator[Cell]:
    """Yield all cells in an order of the seed's, and then all again."""
    chance = Random(f"cells {seed}")
    while True:
        yield from chance.sample(CELLS, len(CELLS))


def deck(points: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what a fleet's troubles are drawn from: every point once, moments from outside, and what does not kill."""
    return tuple(points) or _DECK


def is_known(card: str) -> bool:
    """Tell whether a fleet's troubles can be narrowed to this one."""
    return card in (*_DECK, *STOPS)


def kills(card: str) -> bool:
    """Tell whether it is a kill."""
    return card not in (STOP, *STOPS, DISK, CLOCK)


def planned(seed: int, count: int, cell: Cell, points: Sequence[str] = ()) -> tuple[Blow, ...]:
    """Draw as many kills, and what comes between them: shuffled rounds of the deck, so that all have their share."""
    chance = Random(f"kills {seed} {asdict(cell)}")
    blows: list[Blow] = []
    left = count
    while left:
        cards = list(deck(points))
        chance.shuffle(cards)
        for card in cards:
            if left:
                blows.append(_blow(chance, card, cell))
                left -= isinstance(blows[-1], Kill)
    return tuple(blows)


def _blow(chance: Random, card: str, cell: Cell) -> Blow:
    pause = timedelta(milliseconds=chance.randint(0, 300))
    if card.startswith(STOP):
        return _stop(chance, card.removeprefix(f"{STOP}:"), cell, pause)
    if card == DISK:
        span = timedelta(milliseconds=chance.randint(200, 1200))
        return Disk(chance.choice(cell.slots), chance.choice(("pages", "files")), span, pause)
    if card == CLOCK:
        span = timedelta(milliseconds=chance.randint(200, 1200))
        return Clock(chance.choice(cell.slots), STEP * chance.choice((-1, 1)), span, pause)
    return _kill(chance, card, cell, pause)


def _stop(chance: Random, point: str, cell: Cell, pause: timedelta) -> Stop:
    if point == STOP:
        point = chance.choice((RANDOM, *(card.removeprefix(f"{STOP}:") for card in STOPS)))
    slot = chance.choice(_passing(point, cell))
    return Stop(slot, point, chance.randint(1, 4), LEASE * chance.uniform(1.2, 1.8), pause)


def _passing(point: str, cell: Cell) -> list[Slot]:
    """Return the places whose process passes a point; from outside, all can be reached."""
    return [slot for slot in cell.slots if point in (RANDOM, ALL) or point in _PLACES[slot.role]]


def _kill(chance: Random, point: str, cell: Cell, pause: timedelta) -> Kill:
    slot = chance.choice(_passing(point, cell))
    late = point == "F3" or (point not in _AT_ONCE and chance.random() < 0.5) or (point, slot.role) == ("F7", "whole")
    nth, delay = chance.randint(1, 6), chance.randint(50, _LATE.get(point, 4_000))
    return Kill(
        slot=slot,
        point=point,
        nth=1 if point in _RARE else nth,
        delay=timedelta(microseconds=delay if late else 0),
        pause=pause,
    )
