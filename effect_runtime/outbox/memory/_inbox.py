"""The inbox in memory: what each subscription has settled, what it holds back, and which keys are blocked.

Each function is one step on the tables, made while its caller holds the turn. Time is an argument.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve

from effect_runtime.outbox._inbox import replay_of
from effect_runtime.outbox._ports import Address, DeadLetter, InboxState, Waiting, WaitingReason
from effect_runtime.outbox.memory._database import Database, Mark


def state(database: Database, address: Address) -> InboxState:
    """Read what is known of an event and its key."""
    place = address.subscription, address.event
    seen, held = place in database.settled, place in database.waiting
    if address.key is None:
        return InboxState(seen=seen, held=held, mark=None, blocked=False, waiting=0)
    line = address.subscription, address.topic, address.key
    mark = database.marks.get(line, Mark())
    waiting = len(database.lines.get(line, ()))
    return InboxState(seen=seen, held=held, mark=mark.number, blocked=mark.blocked, waiting=waiting)


def settled(database: Database, address: Address, *, now: datetime) -> None:
    """Record that an event is done and let its successor come."""
    database.settled[address.subscription, address.event] = now
    drop(database, address)
    if address.key is None or address.sequence is None:
        return
    line = address.subscription, address.topic, address.key
    mark = database.marks.get(line, Mark())
    if mark.number is None or address.sequence > mark.number:
        mark = evolve(mark, number=address.sequence)
        database.marks[line] = mark
    if not mark.blocked:
        _call_next(database, line, mark, now=now)


def _call_next(database: Database, line: tuple[str, str, str], mark: Mark, *, now: datetime) -> None:
    """Make the event after the mark due; of a key without a mark, the first one."""
    numbers = database.lines.get(line, ())
    if not numbers:
        return
    wanted = numbers[0][0] if mark.number is None else mark.number + 1
    for place in [(line[0], event) for number, event in numbers if number == wanted]:
        database.waiting[place] = evolve(database.waiting[place], due=now)


def hold(database: Database, waiting: Waiting) -> None:
    """Keep an event, instead of what was kept under its address."""
    address = waiting.address
    drop(database, address)
    database.waiting[address.subscription, address.event] = waiting
    if address.key is not None and address.sequence is not None:
        line = address.subscription, address.topic, address.key
        numbers = list(database.lines.get(line, ()))
        insort(numbers, (address.sequence, address.event))
        database.lines[line] = tuple(numbers)


def drop(database: Database, address: Address) -> None:
    """Remove a waiting row, if there is one."""
    place = address.subscription, address.event
    held = database.waiting.get(place)
    if held is None:
        return
    del database.waiting[place]
    # By the address it was kept under: the one that is passed need only name the event.
    kept = held.address
    if kept.key is not None and kept.sequence is not None:
        line = kept.subscription, kept.topic, kept.key
        database.lines[line] = tuple(entry for entry in database.lines[line] if entry != (kept.sequence, kept.event))


def next_in_line(database: Database, subscription: str, topic: str, key: str) -> Waiting | None:
    """Return the waiting event with the lowest number of a key."""
    line = database.lines.get((subscription, topic, key), ())
    return database.waiting[subscription, line[0][1]] if line else None


def bury(database: Database, letter: DeadLetter) -> None:
    """Store a dead letter of the inbox and block its key if it says so."""
    database.letters[letter.id] = letter
    if letter.topic is None or letter.event is None:
        return
    drop(database, address_of(letter))
    if letter.blocks and letter.key is not None:
        line = letter.destination, letter.topic, letter.key
        database.marks[line] = evolve(database.marks.get(line, Mark()), blocked=True)


def unblock(database: Database, line: tuple[str, str, str], *, now: datetime) -> None:
    """Let a blocked key move again, beginning with the event after its mark."""
    mark = evolve(database.marks.get(line, Mark()), blocked=False)
    database.marks[line] = mark
    _call_next(database, line, mark, now=now)


def address_of(letter: DeadLetter) -> Address:
    """Return where a letter's event was going; a letter without one is known by its own id."""
    return Address(
        subscription=letter.destination,
        topic=letter.topic or "",
        event=letter.event or letter.id,
        key=letter.key,
        sequence=letter.sequence,
    )


def close(database: Database, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Hold the event of a dead letter for another attempt, or settle it; free its key either way."""
    address = address_of(letter)
    if letter.blocks and letter.key is not None:
        line = address.subscription, address.topic, letter.key
        # Not `unblock`: after a replay the successors stay behind the head until it is settled.
        database.marks[line] = evolve(database.marks.get(line, Mark()), blocked=False)
    if not replay:
        settled(database, address, now=now)
        return
    hold(database, replay_of(letter, address, now=now))


def claim(
    database: Database, *, limit: int, lease: timedelta, subscriptions: Sequence[str], now: datetime
) -> tuple[Waiting, ...]:
    """Lend due rows, oldest due first: until the lease ends they are not due again."""
    # All rows are looked at: what waits in a process that keeps nothing is little.
    known = set(subscriptions)
    due = [(row.due, place) for place, row in database.waiting.items() if place[0] in known and row.due is not None]
    taken = sorted(entry for entry in due if entry[0] <= now)[:limit]
    lent = tuple(database.waiting[place] for _, place in taken)
    for row in lent:
        database.waiting[row.address.subscription, row.address.event] = evolve(row, due=now + lease)
    return lent


def next_waiting(waiting: Mapping[tuple[str, str], Waiting], subscriptions: Sequence[str]) -> datetime | None:
    """Return when the next waiting row is due."""
    known = set(subscriptions)
    return min((row.due for place, row in waiting.items() if place[0] in known and row.due is not None), default=None)


def stale_gaps(waiting: Mapping[tuple[str, str], Waiting], *, before: datetime) -> tuple[Waiting, ...]:
    """Return the events that have been held for a gap since before a moment, oldest first."""
    gaps = (row for row in waiting.values() if row.reason is WaitingReason.GAP and row.since <= before)
    return tuple(sorted(gaps, key=lambda row: (row.since, row.address.event)))
