"""What a relay decides about one borrowed lane, and the life cycle that a lane goes through.

Pure: it is told how far a lane came and what stopped it, and answers with the settlement. Knows no store and no wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias, assert_never

from attrs import field, frozen

from effect_runtime.effect import Schedule
from effect_runtime.outbox._ports import Claimed, Settlement
from effect_runtime.outbox._text import bounded


class LaneState(Enum):
    """Where a lane stands: nothing to send, due now, lent to a relay, waiting for a time, or behind a dead letter."""

    EMPTY = "empty"
    DUE = "due"
    LENT = "lent"
    LATER = "later"
    BLOCKED = "blocked"


class LaneEvent(Enum):
    """What happens to a lane."""

    COMMITTED = "an event was committed"
    CLAIMED = "a relay borrowed it"
    LEASE_ENDED = "its lease ended"
    DRAINED = "released with nothing left"
    RELEASED = "released with events left"
    RETRIED = "its head waits for its next attempt"
    WAITED = "the wait is over"
    QUARANTINED = "its head became a dead letter that blocks"
    BURIED = "its only event, without a key, became a dead letter"
    REPLAYED = "its dead letter was replayed"
    DISCARDED = "its dead letter was discarded and events are left"
    GIVEN_UP = "its dead letter was discarded and nothing is left"


_EMPTY, _DUE, _LENT, _LATER, _BLOCKED = LaneState

LANE: Final[Mapping[tuple[LaneState, LaneEvent], LaneState]] = MappingProxyType(
    {
        (_EMPTY, LaneEvent.COMMITTED): _DUE,
        (_DUE, LaneEvent.COMMITTED): _DUE,
        (_DUE, LaneEvent.CLAIMED): _LENT,
        (_LENT, LaneEvent.COMMITTED): _LENT,
        (_LENT, LaneEvent.LEASE_ENDED): _DUE,
        (_LENT, LaneEvent.DRAINED): _EMPTY,
        (_LENT, LaneEvent.RELEASED): _DUE,
        (_LENT, LaneEvent.RETRIED): _LATER,
        (_LENT, LaneEvent.QUARANTINED): _BLOCKED,
        (_LENT, LaneEvent.BURIED): _EMPTY,
        (_LATER, LaneEvent.COMMITTED): _LATER,
        (_LATER, LaneEvent.WAITED): _DUE,
        (_BLOCKED, LaneEvent.COMMITTED): _BLOCKED,
        (_BLOCKED, LaneEvent.REPLAYED): _DUE,
        (_BLOCKED, LaneEvent.DISCARDED): _DUE,
        (_BLOCKED, LaneEvent.GIVEN_UP): _EMPTY,
        (_EMPTY, LaneEvent.REPLAYED): _DUE,  # of an event without a key
    }
)
"""The whole life cycle of a lane: (state, event) -> state. What is not listed cannot happen."""


@frozen
class Through:
    """The relay stopped by itself: all is through, the lease is about to end, or it is leaving."""


@frozen
class Unavailable:
    """The destination is in trouble. Nothing is wrong with the event."""

    reason: str


@frozen
class Paused:
    """The destination takes no more of this key for now; its other keys are well."""

    reason: str


@frozen
class Rejected:
    """Something is wrong with the event at the head."""

    reason: str


Ending: TypeAlias = Through | Unavailable | Paused | Rejected
"""Why a relay stopped working on a lane."""


def _retries() -> Schedule:
    return Schedule.exponential(timedelta(milliseconds=100), cap=timedelta(minutes=1), jitter=0.3).times(9)


@frozen(kw_only=True)
class RelayPolicy:
    """How a relay borrows, publishes and gives up.

    `lease`: how long a lane is borrowed; a dead relay's lanes are idle for that long. `publish_within`: longest single
    publish. A lane's first publish needs `margin` of its lease, each further one all of `publish_within`: otherwise a
    short rest of the lease would look like a silent destination. `retries`: further attempts after a rejection,
    by number; a deadline in it ends nothing, because a lane does not keep since when its head is tried. `pause`: wait
    after a key's destination took no more of it. A dead letter of a key always blocks its lane: going on would leave a
    number missing at every subscription.
    """

    lease: timedelta = timedelta(seconds=9)
    margin: timedelta = timedelta(seconds=1)
    publish_within: timedelta = timedelta(seconds=8)
    events_per_lane: int = 16
    retries: Schedule = field(factory=_retries)
    pause: timedelta = timedelta(milliseconds=500)


def plan(
    claimed: Claimed, accepted: int, ending: Ending, *, now: datetime, policy: RelayPolicy, chance: float = 0.0
) -> Settlement:
    """Decide what becomes of a lane of which `accepted` events went through before `ending`.

    Destination trouble spends no attempt and leaves the lane due at once: other relays may reach what we cannot, and
    our own breaker holds us back. A pause spends none either, but makes the lane wait.
    """
    match ending:
        case Through() | Unavailable():
            return Settlement(lane=claimed.lane, token=claimed.token, accepted=accepted)
        case Paused(reason):
            # Up to a third longer, by chance: keys that were paused together do not come back in step.
            due = now + policy.pause * (1.0 + 0.3 * chance)
            return _retry(claimed, accepted, due=due, spend=False, error=reason)
        case Rejected(reason):
            # Attempts are the head's own: behind an accepted event stands another head, which begins afresh.
            attempt = (claimed.attempts if accepted == 0 else 0) + 1
            wait = policy.retries.decide(attempt, elapsed=timedelta(0), chance=chance)
            if wait is not None:
                return _retry(claimed, accepted, due=now + wait, spend=True, error=reason)
            return Settlement(
                lane=claimed.lane,
                token=claimed.token,
                accepted=accepted,
                then="quarantine",
                spend=True,
                error=bounded(reason),
                block=claimed.lane.key is not None,
            )
        case _:
            assert_never(ending)


def _retry(claimed: Claimed, accepted: int, *, due: datetime, spend: bool, error: str) -> Settlement:
    return Settlement(
        lane=claimed.lane,
        token=claimed.token,
        accepted=accepted,
        then="retry",
        due=due,
        spend=spend,
        error=bounded(error),
    )
