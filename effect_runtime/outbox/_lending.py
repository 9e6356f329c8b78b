"""The life of a lane, decided: what a settlement or an operator's word makes of it.

Pure: a store reads a row, asks here, and writes what comes back. Knows no table, no clock; time is an argument.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from attrs import evolve, frozen

from effect_runtime.integration import Envelope
from effect_runtime.outbox._ports import DeadLetter, Lane, Settlement

KEPT_ERRORS: Final = 50
"""How many errors of a lane's head are kept, the newest: a lane may be retried for weeks."""


@frozen(kw_only=True)
class LaneRow:
    """What is known of a lane: numbers up to `last` are accepted, up to `latest` committed.

    `due` is when it may be lent: while it is lent, the end of its lease. `number` tells which lane is older.
    """

    lane: Lane
    number: int
    last: int
    latest: int
    due: datetime
    attempts: int = 0
    history: tuple[str, ...] = ()
    owner: str | None = None
    token: int = 0
    blocked: bool = False

    @property
    def has_events(self) -> bool:
        """Tell whether the lane has events that are not accepted."""
        return self.latest > self.last

    @property
    def lendable(self) -> bool:
        """Tell whether nothing holds the lane's events back but time."""
        return self.has_events and not self.blocked

    @property
    def has_ended(self) -> bool:
        """Tell whether the lane can be forgotten: it was made for one event and has none left."""
        return self.lane.key is None and not self.has_events


def is_loan_of(row: LaneRow | None, settlement: Settlement) -> bool:
    """Tell whether a settlement speaks for the lane's present loan; otherwise it is stale."""
    # The token alone does not tell: a settled lane keeps its last one, so that the next loan's is larger.
    return row is not None and row.owner is not None and row.token == settlement.token


def settled(row: LaneRow, settlement: Settlement, *, now: datetime) -> LaneRow:
    """Return the lane after a settlement of its present loan."""
    row = evolve(_accepted(row, settlement.accepted), owner=None, due=now)
    # Accepted to the end, whatever the settlement says of a head: there is none to retry or to bury.
    if not row.has_events:
        return row
    match settlement.then:
        case "release":
            return row
        case "retry":
            return _retried(row, settlement)
        case "quarantine":
            row = evolve(row, attempts=0, history=())
            return evolve(row, blocked=True) if settlement.block else evolve(row, last=row.last + 1)
    assert_never(settlement.then)


def _accepted(row: LaneRow, count: int) -> LaneRow:
    if not count:
        return row
    # Never past what is committed: the next event's number would be skipped before it exists.
    return evolve(row, last=min(row.last + count, row.latest), attempts=0, history=())


def _retried(row: LaneRow, settlement: Settlement) -> LaneRow:
    row = evolve(row, due=settlement.due or row.due)
    if not settlement.spend:
        return row
    return evolve(row, attempts=row.attempts + 1, history=(*row.history, settlement.error)[-KEPT_ERRORS:])


def buries_head(row: LaneRow, settlement: Settlement) -> LaneRow | None:
    """Return the lane whose head becomes a dead letter by this settlement; None when none does."""
    row = _accepted(row, settlement.accepted)
    return row if settlement.then == "quarantine" and row.has_events else None


def dead_letter(row: LaneRow, head: Envelope, *, error: str, block: bool, id: str, now: datetime) -> DeadLetter:
    """Return the dead letter of a lane's head; the attempt that led to it counts."""
    return DeadLetter(
        id=id,
        side="outbox",
        destination=row.lane.destination,
        topic=row.lane.topic,
        key=head.key,
        sequence=head.sequence,
        event=head.id,
        type=head.type,
        body=head.data,
        cause=error,
        history=(*row.history, error),
        attempts=row.attempts + 1,
        blocks=block,
        at=now,
    )


def lane_of(letter: DeadLetter) -> Lane:
    """Return the lane on which a dead letter's event was waiting."""
    event = letter.event if letter.key is None else None
    return Lane(letter.destination, letter.topic or "", letter.key, event)


def reopened(row: LaneRow, *, replay: bool, now: datetime) -> LaneRow:
    """Return a blocked lane that goes on: with its head, which has no attempts yet, or without it."""
    last = row.last if replay else row.last + 1
    return evolve(row, blocked=False, due=now, last=last, attempts=0, history=())


def alone(letter: DeadLetter, *, number: int, now: datetime) -> LaneRow:
    """Return a lane for one event whose own lane went on without it, outside the order of its key.

    Its tokens start at the moment in microseconds: a loan from an earlier life of the lane can never match one.
    """
    lane = Lane(letter.destination, letter.topic or "", None, letter.event)
    return LaneRow(lane=lane, number=number, last=0, latest=1, due=now, token=int(now.timestamp() * 1_000_000))
