"""Forgetting in SQLite: walk through rows of one kind, and remove those that are old and not needed.

A walk goes along a key that the table has anyway: an index on the time would cost every command and every delivery, a
walk costs a step now and then. Steps on a connection. Blocking; times are arguments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from effect_runtime.outbox._ports import Kept, Place
from effect_runtime.outbox.sqlite._moment import micros


@frozen
class _Walk:
    """How rows of one kind are walked through, beginning behind `first`, and removed.

    `walk` selects the time and then the place. `by_time`: it goes from the oldest on, so it may stop at what is young.
    """

    walk: str
    remove: str
    first: Place = (-1,)
    by_time: bool = True
    names: tuple[str, ...] = ()

    def asked(self, behind: Place, limit: int) -> Any:
        """Return what `walk` is asked with; by name where it says one thing twice."""
        values = (*(behind or self.first), limit)
        return dict(zip(self.names, values, strict=True)) if self.names else values


# A lane of its topic has not got past it, or was made for it alone; or an operator may want to replay it.
# Asked in the statement that removes, not before: a letter may be written, or a route filled, in between.
_NEEDED: Final = """
    EXISTS (SELECT 1 FROM er_route AS r JOIN er_lane AS l ON l.destination = r.destination AND l.topic = r.topic
        WHERE r.topic = er_outbox.topic AND l.key = er_outbox.key AND l.last < er_outbox.sequence)
    OR EXISTS (SELECT 1 FROM er_route AS r JOIN er_lane AS l ON l.destination = r.destination
        WHERE r.topic = er_outbox.topic AND l.event = er_outbox.event)
    OR EXISTS (SELECT 1 FROM er_dead
        WHERE er_dead.event = er_outbox.event AND er_dead.state = 'dead' AND er_dead.side = 'outbox')"""

# What waits or is an open dead letter is known by its own row, too; a second delivery must meet this one.
_HELD: Final = """
    EXISTS (SELECT 1 FROM er_waiting AS w WHERE w.subscription = er_inbox.subscription AND w.event = er_inbox.event)
    OR EXISTS (SELECT 1 FROM er_dead AS d WHERE d.event = er_inbox.event AND d.state = 'dead' AND d.side = 'inbox'
        AND d.destination = er_inbox.subscription)"""

WALKS: Final[Mapping[Kept, _Walk]] = MappingProxyType(
    {
        Kept.EVENTS: _Walk(
            walk="SELECT at, position FROM er_outbox WHERE position > ? ORDER BY position LIMIT ?",
            remove=f"DELETE FROM er_outbox WHERE position = ? AND at < ? AND NOT ({_NEEDED}) RETURNING topic, at",
        ),
        Kept.INBOX: _Walk(
            walk="SELECT at, subscription, event FROM er_inbox WHERE (subscription, event) > (?, ?)"
            " ORDER BY subscription, event LIMIT ?",
            remove="DELETE FROM er_inbox WHERE subscription = ? AND event = ? AND at < ?"
            f" AND NOT ({_HELD}) RETURNING 1",
            first=("", ""),
            by_time=False,
        ),
        Kept.ANSWERS: _Walk(
            walk="SELECT at, id FROM er_command WHERE id > ? ORDER BY id LIMIT ?",
            remove="DELETE FROM er_command WHERE id = ? AND at < ? RETURNING 1",
            first=("",),
            by_time=False,
        ),
        # Closed letters stand anywhere among open ones, so they alone have an index on the time. Letters of older
        # versions have no time of closing: that of writing stands for it.
        Kept.LETTERS: _Walk(
            walk="SELECT coalesce(closed, at), coalesce(closed, at), position FROM er_dead INDEXED BY er_dead_closed"
            " WHERE state <> 'dead' AND coalesce(closed, at) >= :time"
            " AND (coalesce(closed, at), position) > (:time, :place)"
            " ORDER BY coalesce(closed, at), position LIMIT :limit",
            remove="DELETE FROM er_dead WHERE coalesce(closed, at) = ? AND position = ? AND state <> 'dead'"
            " AND coalesce(closed, at) < ? RETURNING 1",
            first=(-(2**63), -1),
            names=("time", "place", "limit"),
        ),
        Kept.AUDIT: _Walk(
            walk="SELECT at, position FROM er_audit WHERE position > ? ORDER BY position LIMIT ?",
            remove="DELETE FROM er_audit WHERE position = ? AND at < ? RETURNING 1",
        ),
    }
)


@frozen
class Found:
    """What one step of a walk has seen: the places of old rows, and where to go on."""

    old: Sequence[Place]
    reached: Place | None


def look(connection: sqlite3.Connection, kept: Kept, before: datetime, *, limit: int, behind: Place) -> Found:
    """Look at the next rows of one kind and find the old ones."""
    walk, cutoff = WALKS[kept], micros(before)
    rows = connection.execute(walk.walk, walk.asked(behind, limit)).fetchall()
    old = [tuple(place) for at, *place in rows if at < cutoff]
    # Where a clock was set back, something old may stand behind what is young: it is found when that is old, too.
    ends = len(rows) < limit or (walk.by_time and not old)
    return Found(old, None if ends else tuple(rows[-1][1:]))


def remove(connection: sqlite3.Connection, kept: Kept, before: datetime, places: Sequence[Place]) -> int:
    """Remove what is old still and not needed, and return how much that was."""
    statement, cutoff = WALKS[kept].remove, micros(before)
    # The time is asked again, too: under this place may stand a younger row by now.
    removed = [row for place in places for row in connection.execute(statement, (*place, cutoff)).fetchall()]
    if kept is Kept.EVENTS:
        _note_purged(connection, removed)
    return len(removed)


def _note_purged(connection: sqlite3.Connection, removed: Sequence[tuple[str, int]]) -> None:
    """Remember of each topic until when events are gone: what comes later cannot begin with the earliest."""
    connection.executemany(
        "INSERT INTO er_purged(topic, until) VALUES (?, ?)"
        " ON CONFLICT (topic) DO UPDATE SET until = max(until, excluded.until)",
        removed,
    )
