"""What a consumer decides about one received event, and the life cycle of an event that waits.

Pure: it is told what the inbox knows and what went wrong, and answers what to do. Knows no store and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from effect_runtime.outbox._ports import Address, DeadLetter, InboxState, Waiting, WaitingReason

Verdict: TypeAlias = Literal["ignore", "retry", "dead_letter"]
Start: TypeAlias = Literal["now", "earliest"]
Poison: TypeAlias = Literal["block", "skip"]


class Admission(Enum):
    """What an event may do when it arrives."""

    APPLY = "it is its turn"
    DUPLICATE = "it is settled, held or a dead letter already"
    GAP = "a number before it is missing"
    BEHIND = "a number before it is held or blocks its key"
    PAUSE = "its key holds as many events as it may"


class EventState(Enum):
    """Where an event stands for one subscription."""

    UNSEEN = "unseen"
    PARKED = "parked"
    DUE = "due"
    LATER = "later"
    SETTLED = "settled"
    DEAD = "dead"


class EventStep(Enum):
    """What happens to an event of one subscription."""

    APPLIED = "applied, ignored or not handled"
    PARKED = "held until its turn"
    TURN_CAME = "the number before it was settled"
    FAILED = "failed and will be tried again"
    WAITED = "the wait is over"
    BURIED = "became a dead letter"
    REPLAYED = "its dead letter was replayed"
    DISCARDED = "its dead letter was discarded"


_UNSEEN, _PARKED, _DUE, _LATER, _SETTLED, _DEAD = EventState

EVENT: Final[Mapping[tuple[EventState, EventStep], EventState]] = MappingProxyType(
    {
        (_UNSEEN, EventStep.APPLIED): _SETTLED,
        (_UNSEEN, EventStep.PARKED): _PARKED,
        (_UNSEEN, EventStep.FAILED): _LATER,
        (_UNSEEN, EventStep.BURIED): _DEAD,
        (_PARKED, EventStep.TURN_CAME): _DUE,
        (_DUE, EventStep.APPLIED): _SETTLED,
        (_DUE, EventStep.FAILED): _LATER,
        (_DUE, EventStep.BURIED): _DEAD,
        (_LATER, EventStep.WAITED): _DUE,
        (_DEAD, EventStep.REPLAYED): _DUE,
        (_DEAD, EventStep.DISCARDED): _SETTLED,
    }
)
"""The whole life cycle: (state, step) -> state. What is not listed cannot happen; an event settled stays settled."""


def decide_admission(
    address: Address, state: InboxState, *, start: Start, bound: int, taken_up: bool = False
) -> Admission:
    """Decide what an event may do.

    `taken_up`: the event comes from its own waiting row. A key without a mark begins at the first number seen
    (`start="now"`) or at 1. At the bound only what cannot be applied is refused, so the missing head gets in.
    """
    if state.seen or (state.held and not taken_up):
        return Admission.DUPLICATE
    if address.key is None or address.sequence is None:
        return Admission.APPLY
    mark = mark_before(address.sequence, state, start=start)
    # Also what comes after all when an operator has given its number up: its successors are applied.
    if address.sequence <= mark:
        return Admission.DUPLICATE
    if address.sequence == mark + 1:
        return Admission.DUPLICATE if state.blocked else Admission.APPLY  # blocked: it is the dead letter itself
    if state.waiting >= bound and not taken_up:
        return Admission.PAUSE
    return Admission.BEHIND if state.blocked else Admission.GAP


def mark_before(sequence: int, state: InboxState, *, start: Start) -> int:
    """Return the last settled number as an event of this number sees it."""
    if state.mark is not None:
        return state.mark
    return sequence - 1 if start == "now" else 0


@frozen
class Settle:
    """The event is done for this subscription."""

    outcome: str


@frozen
class Hold:
    """The event is tried again after a wait."""

    wait: timedelta
    error: str


@frozen
class Bury:
    """The event becomes a dead letter; its key waits for it if `blocks`."""

    cause: str
    blocks: bool


Plan: TypeAlias = Settle | Hold | Bury
"""What to write after an event could not simply be applied."""


def plan_after_failure(verdict: Verdict, *, error: str, wait: timedelta | None, ordered: bool, poison: Poison) -> Plan:
    """Decide what a failed attempt means. `wait` is the schedule's answer: None after the last attempt."""
    if verdict == "ignore":
        return Settle("ignored")
    if verdict == "retry" and wait is not None:
        return Hold(wait, error)
    return Bury(error, blocks=ordered and poison == "block")


def replay_of(letter: DeadLetter, address: Address, *, now: datetime) -> Waiting:
    """Return the waiting row of a letter that is replayed, with all its attempts before it.

    It is held since after the letter was written, whatever the clock does: so no two replays of an event are one.
    """
    return Waiting(
        address=address,
        reason=WaitingReason.RETRY,
        body=letter.body,
        since=max(now, letter.at + timedelta.resolution),
        due=now,
        history=letter.history,
        replayed=True,
    )


def replay_address(waiting: Waiting) -> Address:
    """Return under which address a replay counts as done, the same through all attempts of that replay.

    A skipped event is settled before its replay, so its own row cannot tell twins of one replay apart.
    """
    stamp = waiting.since.isoformat()
    return evolve(waiting.address, event=f"{waiting.address.event}#replayed-{stamp}", key=None, sequence=None)


def baseline_address(address: Address, sequence: int) -> Address:
    """Return the address that sets a new key's mark to just before its first number.

    Without it a first event that fails would leave its key without a mark, and the next one would become the baseline.
    """
    return evolve(address, event=f"baseline:{address.topic}:{address.key}", sequence=sequence - 1)


def gap_address(head: Address, sequence: int) -> Address:
    """Return the address under which an operator gives up the numbers that are missing before a waiting event."""
    return evolve(head, event=f"gap:{head.topic}:{head.key}:{sequence - 1}", sequence=sequence - 1)
