"""Which process is killed where, in what order: drawn from the seed and nothing else.

Knows no process. Two runs of one seed give the same orders; when each comes true is up to the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from random import Random
from types import MappingProxyType
from typing import Final

from attrs import frozen

from tests.chaos.failpoints import POINTS
from tests.chaos.worker import Role

RANDOM: Final = "random"
ALL: Final = "all"
"""Kill one process from outside at any moment, also while it starts; or all of them at once."""

ROLES: Final[tuple[Role, ...]] = ("whole", "producer", "relay", "consumer")
DOORS: Final[tuple[Role, ...]] = ("whole", "producer")

_PLACES: Final[Mapping[Role, frozenset[str]]] = MappingProxyType(
    {
        "whole": frozenset(POINTS),
        "producer": frozenset(("F1", "F2", "F3", "F4", "F5")),
        "relay": frozenset(("F6", "F7", "F8", "F9")),
        "consumer": frozenset(("F10", "F11", "F12", "F13")),
    }
)
_AT_ONCE: Final = frozenset(("F1", "F2", "F4", "F5"))
"""Points whose meaning is lost a moment later."""


@frozen
class Kill:
    """One kill: who, where, at which passing, how long after it, and how long to leave the others alone before it."""

    role: Role
    point: str
    nth: int
    delay: timedelta
    pause: timedelta


def deck(points: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what one round of kills is drawn from: every point once, random moments three times, all at once."""
    return tuple(points) or (*POINTS, RANDOM, RANDOM, RANDOM, ALL)


def planned(seed: int, count: int, points: Sequence[str] = ()) -> tuple[Kill, ...]:
    """Draw `count` kills: shuffled rounds of the deck, so that every point has its share."""
    chance = Random(f"kills {seed}")

    def drawn() -> list[str]:
        cards = list(deck(points))
        chance.shuffle(cards)
        return cards

    cards = (card for _ in range(count) for card in drawn())
    return tuple(_kill(chance, card) for card in islice(cards, count))


def _kill(chance: Random, point: str) -> Kill:
    role: Role = chance.choice([role for role in ROLES if point in (RANDOM, ALL) or point in _PLACES[role]])
    late = point == "F3" or (point not in _AT_ONCE and chance.random() < 0.5) or (point, role) == ("F7", "whole")
    return Kill(
        role=role,
        point=point,
        nth=chance.randint(1, 6),
        delay=timedelta(microseconds=chance.randint(50, 4000) if late else 0),
        pause=timedelta(milliseconds=chance.randint(0, 700)),
    )
