"""How figures become a ratio, an interval and a verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._workload import Interval, Target, Verdict, median_interval, noise_of, ratio_interval

FIGURES = st.lists(st.floats(min_value=0.5, max_value=2.0), min_size=3, max_size=7)


@pytest.mark.parametrize(
    ("better", "interval", "noise", "verdict"),
    [
        ("lower", Interval(0.9, 0.8, 0.95), 0.0, True),
        ("lower", Interval(1.2, 1.1, 1.3), 0.0, False),
        ("lower", Interval(1.0, 0.9, 1.1), 0.0, "inconclusive"),
        ("lower", Interval(0.9, 0.8, 0.95), 0.1, "inconclusive"),
        ("higher", Interval(1.2, 1.1, 1.3), 0.0, True),
        ("higher", Interval(0.9, 0.8, 0.95), 0.0, False),
        ("higher", Interval(0.9, 0.8, 0.95), 0.1, "inconclusive"),
        ("higher", Interval(1.0, 0.9, 1.1), 0.0, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(
    better: str, interval: Interval, noise: float, verdict: Verdict
) -> None:
    """An interval that holds the bound, or would with the noise added, decides nothing."""
    target = Target(1, "lower") if better == "lower" else Target(1, "higher")
    assert target.judge(interval, noise) == verdict


@given(FIGURES)
def test_equal_sides_have_the_ratio_one_whatever_the_noise(figures: list[float]) -> None:
    """What disturbs both sides of a round alike cancels out."""
    assert ratio_interval(figures, figures, seed=1) == Interval(1, 1, 1)


@given(FIGURES, st.sampled_from([2.0, 4.0, 0.5]))
def test_the_ratio_follows_the_scale_of_ours(figures: list[float], scale: float) -> None:
    """Twice the time is twice the ratio, in each of its three values."""
    assert ratio_interval([each * scale for each in figures], figures, seed=1) == Interval(scale, scale, scale)


@given(FIGURES)
def test_an_interval_holds_its_median_and_is_the_same_again(figures: list[float]) -> None:
    """One seed gives one interval, and the bounds stand in order."""
    interval = median_interval(figures, seed=3)
    assert interval.low <= interval.centre <= interval.high
    assert interval == median_interval(figures, seed=3)


def test_noise_is_the_larger_distance_from_one() -> None:
    """Noise says what the machine can fake, in either direction."""
    assert noise_of(Interval(1.0, 0.75, 1.125)) == 0.25
    assert noise_of(Interval(1.0, 0.9375, 1.5)) == 0.5
