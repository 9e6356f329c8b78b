"""The value that says how after-commit handlers are worked on: what it takes, and what it refuses at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from effect_runtime import Schedule
from effect_runtime.dispatch import EventQueue
from effect_runtime.errors import ConfigurationError


def test_a_queue_has_considered_defaults() -> None:
    """A name is enough: durable, bounded, all lanes at once, two tries at once before the schedule's."""
    queue = EventQueue("notifications")
    assert (queue.capacity, queue.concurrency, queue.durable, queue.immediate) == (1000, 0, True, 2)
    assert queue.timeout == timedelta(seconds=10)
    assert queue.schedule.limit == 8


def test_queues_are_equal_by_their_settings() -> None:
    """The same definition, imported twice, is the same queue."""
    schedule = Schedule().times(1)
    assert EventQueue("mail", capacity=3, schedule=schedule) == EventQueue("mail", capacity=3, schedule=schedule)
    assert EventQueue("mail", capacity=3) != EventQueue("mail", capacity=4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "Mail"},
        {"name": "mail room"},
        {"name": None},
        {"capacity": 0},
        {"capacity": True},
        {"concurrency": -1},
        {"concurrency": 1.5},
        {"immediate": -1},
        {"timeout": timedelta(seconds=-1)},
        {"timeout": 10},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_where_it_is_defined(wrong: dict[str, Any]) -> None:
    """The fault has its code and names the setting with its value."""
    with pytest.raises(ConfigurationError) as refused:
        EventQueue(**{"name": "mail", **wrong})
    (fault,) = refused.value.faults
    (setting,) = wrong
    assert (fault.code.name, fault.problem) == ("ER119", f"{setting}={wrong[setting]!r} cannot work.")


def test_all_settings_are_looked_at_at_once() -> None:
    """Nobody mends one to be told of the next."""
    with pytest.raises(ConfigurationError) as refused:
        EventQueue("Mail", capacity=0, concurrency=-1, immediate=-1, timeout=timedelta(days=-1))
    assert refused.value.codes == ("ER119",) * 5
