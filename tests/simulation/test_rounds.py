"""What comes again and again is told once, whatever else is in a trace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.testing import Site, Step
from effect_runtime.testing.search._rounds import Entry, Rounds, Row, folded


def _rows(text: str, *, deviations: str = "") -> list[Row]:
    """Return a row for each letter, a second apart."""
    site = Site("p", "f", "go", 1, "schedule")
    return [
        Row(number, Step(float(number), "p", "f", letter), site if letter in deviations else None)
        for number, letter in enumerate(text)
    ]


def _told(entries: list[Entry]) -> list[str]:
    return [entry.step.what if isinstance(entry, Row) else str(entry) for entry in entries]


def test_a_step_that_comes_again_and_again_is_told_once() -> None:
    """Whenever it comes: times do not count."""
    assert _told(folded(_rows("a" + "b" * 12 + "c"))) == [
        "a",
        "b",
        "  ... 11 steps: this step comes again and again, until t=12.000",
        "c",
    ]


def test_a_round_of_several_steps_is_told_once() -> None:
    """With how many they are, and until when."""
    told = _told(folded(_rows("x" + "abc" * 5)))
    assert told == ["x", "a", "b", "c", "  ... 12 steps: the last 3 of these come again and again, until t=15.000"]


def test_what_comes_a_few_times_is_told_each_time() -> None:
    """Three attempts are read faster than counted."""
    assert _told(folded(_rows("abababcc"))) == list("abababcc")


def test_a_deviation_is_part_of_no_round() -> None:
    """However often the same thing goes wrong."""
    assert _told(folded(_rows("d" * 12, deviations="d"))) == ["d"] * 12


@given(st.text("ab", max_size=60))
def test_nothing_is_lost_by_folding(text: str) -> None:
    """Unfolded again, each step is there, in its place."""
    unfolded: list[str] = []
    for entry in folded(_rows(text)):
        if isinstance(entry, Rounds):
            unfolded.extend(unfolded[-entry.size :] * entry.times)
        else:
            unfolded.append(entry.step.what)
    assert "".join(unfolded) == text
