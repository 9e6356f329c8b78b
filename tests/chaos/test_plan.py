"""The plan of kills is the seed's, and leaves no point out."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.chaos.failpoints import POINTS
from tests.chaos.plan import ALL, RANDOM, ROLES, deck, planned


def test_one_seed_gives_one_plan() -> None:
    """The same seed draws the same kills; a longer run begins as a shorter one does; another seed differs."""
    assert planned(7, 50)[:20] == planned(7, 20)
    assert planned(7, 20) != planned(8, 20)


def test_a_round_of_kills_has_every_point() -> None:
    """Each point once, random moments three times, all processes at once."""
    once = dict.fromkeys((*POINTS, ALL), 1)
    assert Counter(kill.point for kill in planned(1, len(deck()))) == {**once, RANDOM: 3}


def test_a_worker_is_told_to_die_where_it_passes() -> None:
    """No process without doors dies at a command's commit, none without relay at a claim."""
    found = {role: {kill.point for kill in planned(3, 400) if kill.role == role} for role in ROLES}
    assert found["whole"] == {*POINTS, RANDOM, ALL}
    assert found["producer"] - {RANDOM, ALL} == {"F1", "F2", "F3", "F4", "F5"}
    assert found["relay"] - {RANDOM, ALL} == {"F6", "F7", "F8", "F9"}
    assert found["consumer"] - {RANDOM, ALL} == {"F10", "F11", "F12", "F13"}


def test_points_may_be_chosen() -> None:
    """`--points` narrows the deck to what it names."""
    assert {kill.point for kill in planned(1, 30, ("F3", "F8"))} == {"F3", "F8"}


def test_a_kill_at_commit_is_always_late() -> None:
    """F3 happens while the process goes on into COMMIT."""
    assert all(kill.delay > timedelta(0) for kill in planned(1, 30, ("F3",)))
