"""The outbox in memory: numbering, routes, lanes lent under a fenced lease, settlements.

Each function is one step on the tables, made while its caller holds the turn. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve

from effect_runtime.errors import EventsPurged
from effect_runtime.integration import Envelope
from effect_runtime.outbox._lending import (
    LaneRow,
    alone,
    buries_head,
    dead_letter,
    is_loan_of,
    lane_of,
    reopened,
    settled,
)
from effect_runtime.outbox._ports import Claimed, DeadLetter, Lane, Route, Settlement
from effect_runtime.outbox.memory._database import Database


def publish(database: Database, event: Envelope, *, now: datetime) -> Envelope:
    """Number an event, store it and put it on the lanes of its routes."""
    key = event.key
    if key is not None:
        # Taken at the commit, not when a handler publishes: a nested command may still take its events back.
        number = database.sequences.get((event.topic, key), 0) + 1
        database.sequences[event.topic, key] = number
        event = event.numbered(number)
        database.numbered[event.topic, key, number] = event.id
    database.events[event.id] = event
    database.committed[event.id] = now
    for topic, destination in sorted(database.routes):
        if topic == event.topic:
            _enqueue(database, destination, event, now=now)
    return event


def _enqueue(database: Database, destination: str, event: Envelope, *, now: datetime) -> None:
    lane = _lane_of(destination, event)
    row = database.lanes.get(lane)
    latest = event.sequence or 1
    if row is None:
        row = LaneRow(lane=lane, number=database.next_lane(), last=latest - 1, latest=latest, due=now)
    else:
        # A lane that holds events keeps its time: a new one must not end its head's wait, or the loan of the lane.
        row = evolve(row, latest=latest, due=row.due if row.has_events else now)
    database.lanes[lane] = row


def _lane_of(destination: str, event: Envelope) -> Lane:
    if event.key is None:
        return Lane(destination, event.topic, None, event.id)
    return Lane(destination, event.topic, event.key)


def register(database: Database, routes: Sequence[Route], *, now: datetime) -> None:
    """Add routes that are not known yet; an `earliest` one gets every event that is stored."""
    for route in routes:
        if (route.topic, route.destination) in database.routes:
            continue
        database.routes[route.topic, route.destination] = None
        if route.earliest:
            if route.topic in database.purged:
                # The route that was just added is undone with the whole call: the next start is refused again.
                raise EventsPurged(route.destination, topic=route.topic, until=database.purged[route.topic])
            _fill(database, route, now=now)


def _fill(database: Database, route: Route, *, now: datetime) -> None:
    for event in list(database.events.values()):
        if event.topic != route.topic:
            continue
        lane = _lane_of(route.destination, event)
        row = database.lanes.get(lane)
        if row is None:
            row = LaneRow(lane=lane, number=database.next_lane(), last=0, latest=0, due=now)
        database.lanes[lane] = evolve(row, latest=event.sequence or 1)


def claim(
    database: Database,
    *,
    owner: str,
    lanes: int,
    events: int,
    lease: timedelta,
    destinations: Sequence[str],
    now: datetime,
) -> tuple[Claimed, ...]:
    """Lend the lanes that have been due for longest."""
    claimed: dict[Lane, Claimed] = {}
    while len(claimed) < lanes:
        heads = [database.due.head(destination, database.lanes, now) for destination in destinations]
        row = min((head for head in heads if head), key=lambda head: (head.due, head.number), default=None)
        # Lent in this very claim: with a lease of nothing it is due at once, and would be lent for ever.
        if row is None or row.lane in claimed:
            break
        lent = evolve(row, owner=owner, token=row.token + 1, due=now + lease)
        database.lanes[row.lane] = lent
        envelopes = _waiting_events(database, row, events)
        claimed[row.lane] = Claimed(lane=row.lane, token=lent.token, attempts=row.attempts, envelopes=envelopes)
    return tuple(claimed.values())


def _waiting_events(database: Database, row: LaneRow, limit: int) -> tuple[Envelope, ...]:
    lane = row.lane
    if lane.key is None:
        return (database.events[str(lane.event)],)
    numbers = range(row.last + 1, min(row.latest, row.last + limit) + 1)
    return tuple(database.events[database.numbered[lane.topic, lane.key, number]] for number in numbers)


def settle(database: Database, settlement: Settlement, *, letter: str, now: datetime) -> bool:
    """Record one outcome; False when it is stale. `letter`: the id of a dead letter, if it makes one."""
    row = database.lanes.get(settlement.lane)
    if row is None or not is_loan_of(row, settlement):
        return False
    buried = buries_head(row, settlement)
    if buried is not None:
        head = _waiting_events(database, buried, 1)[0]
        database.letters[letter] = dead_letter(
            buried, head, error=settlement.error, block=settlement.block, id=letter, now=now
        )
    _put(database, settled(row, settlement, now=now))
    return True


def _put(database: Database, row: LaneRow) -> None:
    if row.has_ended:
        del database.lanes[row.lane]
    else:
        database.lanes[row.lane] = row


def close(database: Database, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Let the lane of a dead letter go on: with its head, due at once, or without it."""
    row = database.lanes.get(lane_of(letter))
    if row is not None and row.blocked:
        _put(database, reopened(row, replay=replay, now=now))
    elif replay:
        _put(database, alone(letter, number=database.next_lane(), now=now))


def next_due(lanes: Mapping[Lane, LaneRow], destinations: Sequence[str]) -> datetime | None:
    """Return when the next lane may be lent."""
    return min(
        (row.due for row in lanes.values() if row.lendable and row.lane.destination in destinations), default=None
    )


def backlog(lanes: Mapping[Lane, LaneRow], destinations: Sequence[str], *, limit: int) -> int:
    """Count events that are not accepted, up to `limit`."""
    counted = sum(row.latest - row.last for row in lanes.values() if row.lane.destination in destinations)
    return min(counted, limit)
