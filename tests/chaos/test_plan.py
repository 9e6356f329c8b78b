"""The plan of a round is the seed's, leaves no point out, and asks nobody to die where he never passes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import islice

import pytest

from tests.chaos.failpoints import POINTS
from tests.chaos.plan import (
    ALL,
    CELLS,
    CLOCK,
    LEASE,
    RANDOM,
    STOP,
    Blow,
    Cell,
    Clock,
    Disk,
    Kill,
    Slot,
    Stop,
    deck,
    is_known,
    kills,
    planned,
    shuffled_cells,
)

MANY = Cell(producers=2, relays=3, consumers=3)
ROUND = sum(kills(card) for card in deck())


def kills_of(blows: tuple[Blow, ...]) -> list[Kill]:
    """Leave out what does not kill."""
    return [blow for blow in blows if isinstance(blow, Kill)]


def test_one_seed_gives_one_plan() -> None:
    """The same seed draws the same blows; a longer plan begins as a shorter one does; another seed differs."""
    short, long = planned(7, 20, MANY), planned(7, 50, MANY)
    assert long[: len(short)] == short
    assert short != planned(8, 20, MANY)


def test_a_plan_has_as_many_kills_as_asked() -> None:
    """What does not kill comes on top."""
    assert [len(kills_of(planned(1, count, MANY))) for count in (1, 20, 77)] == [1, 20, 77]


def test_a_round_of_kills_has_every_point() -> None:
    """Each point once, random moments three times, all processes at once."""
    once = dict.fromkeys((*POINTS, ALL), 1)
    assert Counter(kill.point for kill in kills_of(planned(1, ROUND, MANY))) == {**once, RANDOM: 3}


def test_what_does_not_kill_has_its_share() -> None:
    """Stopped processes that outlive their leases, disks without space and clocks ten minutes off."""
    blows = planned(1, 11 * ROUND, MANY)[: 10 * len(deck())]
    assert Counter(type(blow) for blow in blows) == {Kill: 10 * ROUND, Stop: 10, Disk: 10, Clock: 10}
    assert all(blow.span > LEASE for blow in blows if isinstance(blow, Stop))
    assert {blow.full for blow in blows if isinstance(blow, Disk)} == {"pages", "files"}
    steps = {blow.step for blow in blows if isinstance(blow, Clock)}
    assert steps == {timedelta(minutes=10), timedelta(minutes=-10)}


def test_a_worker_is_told_to_die_where_it_passes() -> None:
    """No process without doors dies at a command's commit, none without relay at a claim."""
    blows = kills_of(planned(3, 800, MANY))
    outside, anywhere = {RANDOM, ALL}, {"F15", "F16"}
    found = {role: {blow.point for blow in blows if blow.slot.role == role} for role in ("whole", "producer")}
    assert found == {"whole": {*POINTS, *outside}, "producer": {"F1", "F2", "F3", "F4", "F5", *anywhere, *outside}}
    found = {role: {blow.point for blow in blows if blow.slot.role == role} for role in ("relay", "consumer")}
    assert found == {
        "relay": {"F6", "F7", "F8", "F9", "F14", *anywhere, *outside},
        "consumer": {"F6", "F10", "F11", "F12", "F13", "F14", *anywhere, *outside},
    }


def test_points_may_be_chosen() -> None:
    """`--points` narrows the deck to what it names; a stop can be put at a point."""
    assert {kill.point for kill in kills_of(planned(1, 30, MANY, ("F3", "F8")))} == {"F3", "F8"}
    stops = [blow for blow in planned(1, 30, MANY, ("F3", "stop:F8")) if isinstance(blow, Stop)]
    assert {blow.point for blow in stops} == {"F8"}
    assert (is_known("stop:F8"), is_known("stop:F1"), kills("stop:F8"), kills(STOP), kills(CLOCK), kills("F8")) == (
        True,
        False,
        False,
        False,
        False,
        True,
    )


def test_a_kill_at_commit_is_always_late() -> None:
    """F3 happens while the process goes on into COMMIT."""
    assert all(kill.delay > timedelta(0) for kill in kills_of(planned(1, 30, MANY, ("F3",))))


@pytest.mark.parametrize(
    ("cell", "slots"),
    [
        (Cell(), (Slot("whole", 1),)),
        (Cell(whole=False), (Slot("producer", 1), Slot("relay", 1), Slot("consumer", 1))),
        (
            Cell(producers=2, consumers=3),
            (Slot("whole", 1), Slot("producer", 1), Slot("consumer", 1), Slot("consumer", 2)),
        ),
    ],
)
def test_a_cell_has_its_places(cell: Cell, slots: tuple[Slot, ...]) -> None:
    """A whole process stands for one of each kind."""
    assert cell.slots == slots


def test_all_cells_have_their_turn() -> None:
    """One to three of each kind, on one file and two, with a whole process and without: then all again."""
    assert len(set(CELLS)) == 108
    assert set(islice(shuffled_cells(1), 108)) == set(CELLS)
