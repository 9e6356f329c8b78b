"""The circuit breaker follows its table."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.effect import Schedule
from effect_runtime.outbox import BREAKER, Breaker, BreakerEvent, BreakerState

FIXED = Schedule.exponential(timedelta(seconds=1), cap=timedelta(seconds=4))


def test_the_table_answers_every_event_in_every_state() -> None:
    """No state and event are without an answer."""
    assert set(BREAKER) == {(state, event) for state in BreakerState for event in BreakerEvent}


def test_trouble_opens_and_each_failed_probe_waits_longer_up_to_the_cap() -> None:
    """The wait doubles from probe to probe and then stays at the cap."""
    breaker, now, waits = Breaker(backoff=FIXED), 0.0, []
    for _ in range(5):
        breaker = breaker.after(BreakerEvent.TROUBLE, now=now, reason="silence")
        waits.append(breaker.until - now)
        now = breaker.until
        breaker = breaker.waited(now)
        assert breaker.state is BreakerState.PROBING
    assert waits == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_trouble_of_publishes_under_way_does_not_wait_longer() -> None:
    """A window of lanes that all fail at once counts as one failure."""
    opened = Breaker(backoff=FIXED).after(BreakerEvent.TROUBLE, now=0.0, reason="silence")
    assert opened.after(BreakerEvent.TROUBLE, now=0.5, reason="silence") == opened


def test_an_open_breaker_is_open_until_its_wait_is_over() -> None:
    """Nothing passes before, one lane passes then, everything passes after an answer."""
    opened = Breaker(backoff=FIXED).after(BreakerEvent.TROUBLE, now=0.0)
    probing = opened.waited(1.0)
    closed = probing.after(BreakerEvent.ANSWERED, now=1.0)
    assert [opened.waited(0.99).lanes(64), probing.lanes(64), closed.lanes(64)] == [0, 1, 64]
    assert closed == Breaker(backoff=FIXED)


@given(st.lists(st.sampled_from(BreakerEvent)), st.floats(0, 0.999))
def test_a_breaker_follows_its_table(events: list[BreakerEvent], chance: float) -> None:
    """Whatever happens, the value's state is the table's."""
    breaker = Breaker(backoff=FIXED)
    for now, event in enumerate(events):
        expected = BREAKER[breaker.state, event]
        breaker = breaker.after(event, now=float(now), chance=chance)
        assert breaker.state is expected
        assert (breaker.failures == 0) is (breaker.state is BreakerState.CLOSED)
