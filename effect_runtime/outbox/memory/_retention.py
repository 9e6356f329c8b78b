"""Forgetting in memory: rows of one kind that are old and not needed are removed, a bounded number at a time.

Each function is one step on the tables, made while its caller holds the turn. Times are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from effect_runtime.outbox._ports import DeadLetter, Kept, Lane, Sweep
from effect_runtime.outbox.memory._database import Database
from effect_runtime.outbox.memory._tables import Table

K = TypeVar("K")


def purge(database: Database, kept: Kept, before: datetime, *, limit: int) -> Sweep:
    """Remove up to `limit` rows; the next step looks from the beginning, because what was removed is gone."""
    match kept:
        case Kept.EVENTS:
            return _drop_events(database, before, limit)
        case Kept.INBOX:
            held = {(each.destination, each.event) for each in _open_letters(database, "inbox")} | set(database.waiting)
            return _drop(
                (place for place in _before(database.settled, before) if place not in held), limit, database.settled
            )
        case Kept.ANSWERS:
            old = (id for id, known in database.commands.items() if known.at < before)
            return _drop(old, limit, database.commands)
        case Kept.LETTERS:
            return _drop(_before(database.closed, before), limit, database.closed, database.letters)
        case Kept.AUDIT:
            lines = (line for line, entry in database.audit.items() if entry.at < before)
            return _drop(lines, limit, database.audit)


def _drop(old: Iterable[K], limit: int, *tables: Table[K, Any]) -> Sweep:
    found = list(islice(old, limit))
    for key in found:
        for table in tables:
            del table[key]
    # Any place will do: what was removed is gone, so the next step looks from the beginning.
    return Sweep(len(found), (0,) if len(found) == limit else None)


def _before(times: Table[K, datetime], before: datetime) -> Iterable[K]:
    return (key for key, at in times.items() if at < before)


def _drop_events(database: Database, before: datetime, limit: int) -> Sweep:
    letters = {each.event for each in _open_letters(database, "outbox")}
    old = (id for id in _before(database.committed, before) if id not in letters and not _is_awaited(database, id))
    found = list(islice(old, limit))
    for id in found:
        event, at = database.events[id], database.committed[id]
        # In the same step: a new subscription must not take what is left for the whole stream.
        database.purged[event.topic] = max(at, database.purged.get(event.topic, at))
        if event.key is not None and event.sequence is not None:
            del database.numbered[event.topic, event.key, event.sequence]
    return _drop(found, limit, database.committed, database.events)


def _is_awaited(database: Database, id: str) -> bool:
    """Tell whether a lane of its topic has not got past an event, or was made for it alone."""
    event = database.events[id]
    for topic, destination in database.routes:
        if topic != event.topic:
            continue
        row = database.lanes.get(Lane(destination, topic, event.key)) if event.key is not None else None
        if row is not None and row.last < (event.sequence or 0):
            return True
        if Lane(destination, topic, None, id) in database.lanes:
            return True
    return False


def _open_letters(database: Database, side: str) -> Iterable[DeadLetter]:
    return (letter for letter in database.letters.values() if letter.side == side and letter.state == "dead")
