"""The schedule decides from numbers alone: no clock, no chance, no loop."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.effect import Schedule

second = timedelta(seconds=1)
nothing = timedelta(0)


def test_the_default_never_waits_and_never_stops() -> None:
    """Without bounds there is always another try, at once."""
    assert Schedule().decide(1_000_000, elapsed=timedelta.max / 2) == nothing


def test_fixed_waits_equally_long() -> None:
    """Each wait is the same."""
    assert [Schedule.fixed(second).delay(number) for number in (1, 2, 9)] == [second] * 3


def test_exponential_grows_up_to_its_cap() -> None:
    """Waits grow by the factor and stop growing at the cap, also where a float overflows."""
    schedule = Schedule.exponential(second, factor=3.0, cap=timedelta(seconds=10))
    assert [schedule.delay(number) for number in (1, 2, 3, 4, 5000)] == [
        second,
        3 * second,
        9 * second,
        10 * second,
        10 * second,
    ]


def test_jitter_takes_its_share_away() -> None:
    """Chance shortens a wait by at most the jitter."""
    schedule = Schedule.exponential(second, jitter=0.5)
    assert [schedule.delay(1, chance=chance) for chance in (0.0, 0.5)] == [second, timedelta(seconds=0.75)]


def test_times_bounds_the_further_tries() -> None:
    """`times(n)` allows n tries after the first."""
    schedule = Schedule.fixed(second).times(2)
    assert [schedule.decide(number, elapsed=nothing) for number in (1, 2, 3)] == [second, second, None]


def test_within_bounds_the_whole() -> None:
    """A wait may end on the deadline, not after it."""
    schedule = Schedule.fixed(second).within(3 * second)
    assert schedule.decide(1, elapsed=2 * second) == second
    assert schedule.decide(1, elapsed=2 * second + timedelta.resolution) is None


def test_only_names_the_failures_it_covers() -> None:
    """An empty list covers all."""
    assert Schedule().covers("anything")
    assert Schedule().only(int, str).covers("text")
    assert not Schedule().only(int).covers("text")


@pytest.mark.parametrize("wrong", [{"jitter": 1.5}, {"factor": 0.5}, {"limit": -1}, {"initial": timedelta(seconds=-1)}])
def test_a_schedule_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    """Numbers out of range are refused where the schedule is built."""
    with pytest.raises(ValueError):
        Schedule(**wrong)  # type: ignore[arg-type]  # the slip under test


@given(
    number=st.integers(1, 200),
    chance=st.floats(0, 1, exclude_max=True),
    jitter=st.floats(0, 1),
    cap=st.timedeltas(nothing, timedelta(hours=1)),
    elapsed=st.timedeltas(nothing, timedelta(days=1)),
    deadline=st.timedeltas(nothing, timedelta(days=1)),
)
def test_a_wait_is_never_negative_never_above_the_cap_and_never_past_the_deadline(
    number: int, chance: float, jitter: float, cap: timedelta, elapsed: timedelta, deadline: timedelta
) -> None:
    """Whatever the numbers, a decided wait keeps all its bounds."""
    schedule = Schedule.exponential(second, cap=cap, jitter=jitter).within(deadline)
    wait = schedule.decide(number, elapsed=elapsed, chance=chance)
    assert wait is None or nothing <= wait <= cap
    assert wait is None or elapsed + wait <= deadline
