"""The agenda in memory: items on their lanes, lent under a fenced lease, ended by whoever borrowed them.

Each function is one step on the tables, made while its caller holds the turn. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.outbox._agenda_rows import (
    AgendaRow,
    added,
    called,
    is_lent_under,
    lent,
    put_back,
    released,
    rescheduled,
    retried,
)
from effect_runtime.outbox._ports import DeadLetter
from effect_runtime.outbox.memory._database import Database


def add(database: Database, item: AgendaItem, *, now: datetime) -> None:
    """Add an item at the end of its lane; an id that is there already is left as it is."""
    line = item.reaction, item.envelope.key
    _insert(database, added(item, number=database.next_entry(), behind=line in database.heads, now=now))


def _insert(database: Database, row: AgendaRow) -> None:
    if row.id in database.agenda:
        return
    database.agenda[row.id] = row
    if row.line is not None and row.due is not None:
        database.heads[row.line] = row.id


def find(database: Database, id: str) -> AgendaEntry | None:
    """Return one entry."""
    row = database.agenda.get(id)
    return None if row is None else row.entry


def take(database: Database, id: str, token: int, *, now: datetime) -> bool:
    """End a loan and remove its item; False when the loan is stale."""
    # A stale loan must not even remove: the item may have been added again under its id.
    return is_lent_under(database.agenda.get(id), token) and cancel(database, id, now=now)


def cancel(database: Database, id: str, *, now: datetime) -> bool:
    """Remove an item, lent or not; False when there is none."""
    row = database.agenda.get(id)
    if row is None:
        return False
    del database.agenda[id]
    if row.line is not None and database.heads[row.line] == id:
        _call_next(database, row.line, now=now)
    return True


def _call_next(database: Database, line: tuple[str, str], *, now: datetime) -> None:
    row = database.queued.first(line, database.agenda)
    if row is None:
        del database.heads[line]
        return
    database.heads[line] = row.id
    database.agenda[row.id] = called(row, now=now)


def retry(database: Database, id: str, token: int, *, due: datetime, error: str) -> bool:
    """End a loan with a failure, to be tried again; False when the loan is stale."""
    row = database.agenda.get(id)
    if row is None or not is_lent_under(row, token):
        return False
    database.agenda[id] = retried(row, due=due, error=error)
    return True


def release(database: Database, id: str, token: int, *, now: datetime) -> bool:
    """End a loan without a try; False when the loan is stale."""
    row = database.agenda.get(id)
    if row is None or not is_lent_under(row, token):
        return False
    database.agenda[id] = released(row, now=now)
    return True


def bury(database: Database, id: str, token: int, letter: DeadLetter, *, now: datetime) -> bool:
    """End a loan with a dead letter; False when the loan is stale."""
    if not take(database, id, token, now=now):
        return False
    database.letters[letter.id] = letter
    return True


def reschedule(database: Database, id: str, due: datetime) -> bool:
    """Give an item another due time; False when there is none."""
    row = database.agenda.get(id)
    if row is None:
        return False
    database.agenda[id] = rescheduled(row, due)
    return True


def close(database: Database, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Put the item of a dead letter back, or leave it at that."""
    if replay:
        _insert(database, put_back(letter, number=database.next_entry(), now=now))


def claim(
    database: Database, *, owner: str, limit: int, lease: timedelta, reactions: Sequence[str], now: datetime
) -> tuple[AgendaEntry, ...]:
    """Lend the entries that have been due for longest: until the lease ends they are not due again."""
    claimed: dict[str, AgendaEntry] = {}
    while len(claimed) < limit:
        heads = [database.entries.head(reaction, database.agenda) for reaction in dict.fromkeys(reactions)]
        due = [(row.due, row.number, row) for row in heads if row is not None and row.due is not None]
        row = min(due)[2] if due else None
        # Lent in this very claim: with a lease of nothing it is due at once, and would be lent for ever.
        if row is None or row.due is None or row.due > now or row.id in claimed:
            break
        database.agenda[row.id] = row = lent(row, owner=owner, until=now + lease)
        claimed[row.id] = row.entry
    return tuple(claimed.values())


def next_due(database: Database, reactions: Sequence[str]) -> datetime | None:
    """Return when the next entry may be lent."""
    if database.journal.mark:
        # What is being written right now must not be seen: look at all that is committed.
        rows = database.journal.committed(database.agenda).values()
        return min((row.due for row in rows if row.due is not None and row.item.reaction in reactions), default=None)
    heads = (database.entries.head(reaction, database.agenda) for reaction in reactions)
    return min((row.due for row in heads if row is not None and row.due is not None), default=None)


def backlog(agenda: Mapping[str, AgendaRow], reactions: Sequence[str] | None, *, limit: int) -> int:
    """Count entries, up to `limit`."""
    return min(limit, sum(1 for row in agenda.values() if reactions is None or row.item.reaction in reactions))


def entries(
    agenda: Mapping[str, AgendaRow], reactions: Sequence[str] | None, *, limit: int, after: str | None
) -> tuple[AgendaEntry, ...]:
    """Return entries in the order of adding, from the beginning when the one to begin behind has ended."""
    last = agenda.get(after) if after is not None else None
    behind = -1 if last is None else last.number
    rows = [row for row in agenda.values() if reactions is None or row.item.reaction in reactions]
    rows.sort(key=lambda row: row.number)
    return tuple(row.entry for row in rows if row.number > behind)[:limit]


def reactions(agenda: Mapping[str, AgendaRow]) -> tuple[str, ...]:
    """Return every reaction that has an entry, by name."""
    return tuple(sorted({row.item.reaction for row in agenda.values()}))
