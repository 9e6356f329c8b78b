"""The circuit breaker of one destination: a table of transitions over a frozen value.

Knows no clock and no wire: it is told what happened and when, and answers with the next value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import evolve, field, frozen

from effect_runtime.effect import Schedule


class BreakerState(Enum):
    """Where a breaker stands: everything passes, nothing passes, or one lane is let through to try."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class BreakerEvent(Enum):
    """What happens to a breaker: an answer came (a refusal is one), trouble came, or the wait is over."""

    ANSWERED = "answered"
    TROUBLE = "trouble"
    WAITED = "waited"


_CLOSED, _OPEN, _PROBING = BreakerState
_ANSWERED, _TROUBLE, _WAITED = BreakerEvent

BREAKER: Final[Mapping[tuple[BreakerState, BreakerEvent], BreakerState]] = MappingProxyType(
    {
        (_CLOSED, _ANSWERED): _CLOSED,
        (_CLOSED, _TROUBLE): _OPEN,
        (_CLOSED, _WAITED): _CLOSED,
        (_OPEN, _ANSWERED): _CLOSED,  # a publish that was under way when it opened came through
        (_OPEN, _TROUBLE): _OPEN,
        (_OPEN, _WAITED): _PROBING,
        (_PROBING, _ANSWERED): _CLOSED,
        (_PROBING, _TROUBLE): _OPEN,
        (_PROBING, _WAITED): _PROBING,
    }
)
"""The whole life cycle: (state, event) -> state."""


def _backoff() -> Schedule:
    return Schedule.exponential(timedelta(milliseconds=50), cap=timedelta(seconds=10), jitter=0.3)


@frozen
class Breaker:
    """Hold back from a destination in trouble. `until` is a reading of the monotonic clock, in seconds."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    until: float = 0.0
    reason: str = ""
    backoff: Schedule = field(factory=_backoff, repr=False)

    def after(self, event: BreakerEvent, *, now: float, chance: float = 0.0, reason: str = "") -> Breaker:
        """Return the breaker after an event at `now`; trouble while open changes nothing."""
        state = BREAKER[self.state, event]
        if state is BreakerState.CLOSED:
            return evolve(self, state=state, failures=0, until=0.0, reason="")
        # Trouble while open is of publishes that were under way: counted, one outage would back off by the window.
        # `failures` outlives the probe: one that fails waits for longer than the one before.
        if event is not BreakerEvent.TROUBLE or self.state is BreakerState.OPEN:
            return evolve(self, state=state)
        failures = self.failures + 1
        wait = self.backoff.delay(failures, chance=chance).total_seconds()
        return evolve(self, state=state, failures=failures, until=now + wait, reason=reason)

    def waited(self, now: float) -> Breaker:
        """Return the breaker as it stands at `now`: an open one whose wait is over is probing."""
        if self.state is BreakerState.OPEN and now >= self.until:
            return self.after(BreakerEvent.WAITED, now=now)
        return self

    def lanes(self, window: int) -> int:
        """Return how many of `window` lanes may be in flight."""
        match self.state:
            case BreakerState.CLOSED:
                return window
            case BreakerState.OPEN:
                return 0
            case BreakerState.PROBING:
                return 1
