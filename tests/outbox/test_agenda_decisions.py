"""What a failed try of an agenda's item means, without a store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from effect_runtime.effect import Schedule
from effect_runtime.outbox import AGENDA, AgendaState, AgendaStep
from effect_runtime.outbox._agenda import Persistence, plan_after_try
from effect_runtime.outbox._inbox import Bury, Hold, Settle

SECOND = timedelta(seconds=1)
STUBBORN = Persistence(immediate=2, schedule=Schedule.exponential(SECOND).times(3))


def test_a_failure_is_tried_again_at_once_then_by_the_schedule_then_never() -> None:
    """Two immediate tries, three delayed ones, each twice as late as the one before."""
    waits = [STUBBORN.wait_after(None, attempts=number, elapsed=timedelta(0)) for number in range(1, 7)]
    assert waits == [timedelta(0), timedelta(0), SECOND, 2 * SECOND, 4 * SECOND, None]


def test_a_failure_that_the_schedule_does_not_cover_is_the_last() -> None:
    """Also the immediate tries are for what may go away by itself."""
    picky = Persistence(immediate=2, schedule=Schedule().only(OSError))
    assert picky.wait_after(ValueError(), attempts=1, elapsed=timedelta(0)) is None
    assert picky.wait_after(OSError(), attempts=1, elapsed=timedelta(0)) == timedelta(0)
    assert picky.wait_after(None, attempts=1, elapsed=timedelta(0)) == timedelta(0)


def test_a_schedule_with_a_deadline_counts_from_when_the_item_was_due() -> None:
    """The wait must end before it."""
    bounded = Persistence(schedule=Schedule.fixed(SECOND).within(timedelta(seconds=3)))
    assert bounded.wait_after(None, attempts=1, elapsed=timedelta(seconds=2)) == SECOND
    assert bounded.wait_after(None, attempts=1, elapsed=timedelta(seconds=2.5)) is None


@pytest.mark.parametrize(
    ("verdict", "wait", "expected"),
    [
        ("retry", SECOND, Hold(SECOND, "why")),
        ("retry", None, Bury("why", blocks=False)),
        ("dead_letter", SECOND, Bury("why", blocks=False)),
        ("ignore", SECOND, Settle("ignored")),
        ("ignore", None, Settle("ignored")),
    ],
)
def test_a_verdict_and_a_wait_make_a_plan(verdict: object, wait: timedelta | None, expected: object) -> None:
    """No dead letter of the agenda blocks its lane."""
    assert plan_after_try(verdict, error="why", wait=wait) == expected  # type: ignore[arg-type]  # parametrised


def test_every_state_of_an_item_can_be_reached_and_left() -> None:
    """There is no trap among the states; an item that was handled is as if it had never been."""
    reached = set(AGENDA.values())
    left = {state for state, _ in AGENDA}
    assert reached == left == set(AgendaState)


def test_every_step_is_somewhere_in_the_life_cycle() -> None:
    """And nothing but a claim lends an item."""
    assert {step for _, step in AGENDA} == set(AgendaStep)
    assert [step for (_, step), state in AGENDA.items() if state is AgendaState.LENT] == [AgendaStep.CLAIMED]
