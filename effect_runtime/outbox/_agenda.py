"""What becomes of an item of the agenda whose try failed, and the life cycle that an item goes through.

Pure: it is told what went wrong and how often, and answers what to do. Knows no store, no queue and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from effect_runtime.effect import Schedule
from effect_runtime.outbox._inbox import Plan, Verdict, plan_after_failure


class AgendaState(Enum):
    """Where an item of the agenda stands."""

    ABSENT = "absent"
    BEHIND = "behind"
    LATER = "later"
    DUE = "due"
    LENT = "lent"
    DEAD = "dead"


class AgendaStep(Enum):
    """What happens to an item of the agenda."""

    ADDED = "committed, to be done at once"
    ADDED_LATER = "committed, to be done later"
    ADDED_BEHIND = "committed behind another of its lane"
    TURN_CAME = "the one before it in its lane ended"
    TURN_CAME_EARLY = "the one before it in its lane ended before its own time"
    WAITED = "the wait is over"
    CLAIMED = "a worker borrowed it"
    LEASE_ENDED = "its lease ended"
    TAKEN = "its handler committed"
    RETRIED_AT_ONCE = "failed and is tried again at once"
    RETRIED = "failed and is tried again later"
    BURIED = "became a dead letter"
    CANCELLED = "was cancelled"
    RESCHEDULED = "was given another time"
    REPLAYED = "its dead letter was replayed"
    DISCARDED = "its dead letter was discarded"


_ABSENT, _BEHIND, _LATER, _DUE, _LENT, _DEAD = AgendaState

AGENDA: Final[Mapping[tuple[AgendaState, AgendaStep], AgendaState]] = MappingProxyType(
    {
        (_ABSENT, AgendaStep.ADDED): _DUE,
        (_ABSENT, AgendaStep.ADDED_LATER): _LATER,
        (_ABSENT, AgendaStep.ADDED_BEHIND): _BEHIND,
        (_BEHIND, AgendaStep.TURN_CAME): _DUE,
        (_BEHIND, AgendaStep.TURN_CAME_EARLY): _LATER,
        (_BEHIND, AgendaStep.RESCHEDULED): _BEHIND,
        (_BEHIND, AgendaStep.CANCELLED): _ABSENT,
        (_LATER, AgendaStep.WAITED): _DUE,
        (_LATER, AgendaStep.RESCHEDULED): _LATER,
        (_LATER, AgendaStep.CANCELLED): _ABSENT,
        (_DUE, AgendaStep.CLAIMED): _LENT,
        (_DUE, AgendaStep.RESCHEDULED): _LATER,
        (_DUE, AgendaStep.CANCELLED): _ABSENT,
        (_LENT, AgendaStep.LEASE_ENDED): _DUE,
        (_LENT, AgendaStep.TAKEN): _ABSENT,
        (_LENT, AgendaStep.RETRIED_AT_ONCE): _DUE,
        (_LENT, AgendaStep.RETRIED): _LATER,
        (_LENT, AgendaStep.BURIED): _DEAD,
        (_LENT, AgendaStep.RESCHEDULED): _LATER,
        (_LENT, AgendaStep.CANCELLED): _ABSENT,
        (_DEAD, AgendaStep.REPLAYED): _DUE,
        (_DEAD, AgendaStep.DISCARDED): _ABSENT,
    }
)
"""The whole life cycle of an item: (state, step) -> state. What is not listed cannot happen."""


@frozen(kw_only=True)
class Persistence:
    """How stubbornly an item is tried: `immediate` times more at once, then by the schedule, then never again."""

    immediate: int = 0
    schedule: Schedule = field(factory=Schedule)

    def wait_after(
        self, failure: object, *, attempts: int, elapsed: timedelta, chance: float = 0.0
    ) -> timedelta | None:
        """Return the wait after failed try number `attempts`, counted from 1; None when it was the last one.

        `failure` is a declared failure or an exception; None is trouble that no schedule can leave out, as a try
        that took too long. `elapsed` counts from when the item was first due.
        """
        if failure is not None and not self.schedule.covers(failure):
            return None
        if attempts <= self.immediate:
            return timedelta(0)
        return self.schedule.decide(attempts - self.immediate, elapsed=elapsed, chance=chance)


def plan_after_try(verdict: Verdict, *, error: str, wait: timedelta | None) -> Plan:
    """Decide what a failed try means. A dead letter of the agenda blocks nothing: its lane goes on."""
    return plan_after_failure(verdict, error=error, wait=wait, ordered=False, poison="skip")
