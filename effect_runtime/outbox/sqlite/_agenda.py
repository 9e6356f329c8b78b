"""The agenda in SQLite: items on their lanes, lent under a fenced lease, ended by whoever borrowed them.

Steps on a connection, made inside one transaction. What becomes of an entry is decided in `_agenda_rows`; here rows are
found by their heads and written back. Blocking; time is an argument.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.outbox._agenda_rows import (
    AgendaRow,
    added,
    is_lent_under,
    lent,
    put_back,
    released,
    rescheduled,
    retried,
)
from effect_runtime.outbox._ports import DeadLetter
from effect_runtime.outbox.sqlite._letters import write_letter
from effect_runtime.outbox.sqlite._moment import maybe_micros, maybe_moment, micros, moment
from effect_runtime.outbox.sqlite._record import (
    ATTRIBUTES,
    envelope_values,
    history_text,
    stored_envelope,
    stored_history,
)
from effect_runtime.outbox.sqlite._session import Value

_COLUMNS: Final = f"id, {ATTRIBUTES}, position, reaction, not_before, lane, since, due, attempts, history, owner, token"
_ENVELOPE: Final = 1 + len(ATTRIBUTES.split(","))
"""How many of the columns hold the envelope."""

# WHERE true, because without it SQLite takes ON for the condition of a join. Whether it stands behind another is asked
# in the statement: an item before it in the same ledger counts.
_ADD: Final = (
    f"INSERT INTO er_agenda(id, {ATTRIBUTES}, reaction, not_before, lane, since, token, due)"
    f" SELECT {', '.join('?' * 19)},"
    " CASE WHEN EXISTS (SELECT 1 FROM er_agenda WHERE reaction = ? AND lane = ?) THEN NULL ELSE ? END"
    " WHERE true ON CONFLICT (id) DO NOTHING"
)
DUE: Final = (
    f"SELECT {_COLUMNS} FROM er_agenda WHERE reaction = ? AND due IS NOT NULL AND due <= ?"
    " ORDER BY due, position LIMIT ?"
)
NEXT_DUE: Final = "SELECT due FROM er_agenda WHERE reaction = ? AND due IS NOT NULL ORDER BY due LIMIT 1"
BY_ID: Final = f"SELECT {_COLUMNS} FROM er_agenda WHERE id = ?"
HEAD: Final = "SELECT position FROM er_agenda WHERE reaction = ? AND lane = ? ORDER BY position LIMIT 1"
LIST: Final = f"SELECT {_COLUMNS} FROM er_agenda WHERE reaction = ? AND position > ? ORDER BY position LIMIT ?"
_LIST_ALL: Final = f"SELECT {_COLUMNS} FROM er_agenda WHERE position > ? ORDER BY position LIMIT ?"
REACTIONS: Final = (
    # A search for each reaction rather than a scan of all entries.
    "WITH RECURSIVE known(reaction) AS (SELECT min(reaction) FROM er_agenda UNION ALL"
    " SELECT (SELECT min(reaction) FROM er_agenda WHERE reaction > known.reaction) FROM known"
    " WHERE known.reaction IS NOT NULL) SELECT reaction FROM known WHERE reaction IS NOT NULL"
)


def _row(columns: sqlite3.Row) -> AgendaRow:
    number, reaction, not_before, lane, since, due, attempts, history, owner, token = columns[_ENVELOPE:]
    envelope = stored_envelope(columns[:_ENVELOPE])
    return AgendaRow(
        item=AgendaItem(reaction=reaction, envelope=envelope, due=maybe_moment(not_before)),
        number=number,
        lane=lane,
        since=moment(since),
        due=maybe_moment(due),
        attempts=attempts,
        history=stored_history(history),
        owner=owner,
        token=token,
    )


def add(connection: sqlite3.Connection, items: Iterable[AgendaItem], now: datetime) -> None:
    """Add items at the end of their lanes; an id that is there already is left as it is."""
    rows = (added(item, number=0, behind=False, now=now) for item in items)
    connection.executemany(_ADD, [_values(row) for row in rows])


def _values(row: AgendaRow) -> tuple[Value, ...]:
    return (
        *envelope_values(row.item.envelope),
        row.item.reaction,
        maybe_micros(row.item.due),
        row.lane,
        micros(row.since),
        row.token,
        # Asked a second time: is there another of its lane? A number in the SQL would do, and is deprecated by Python.
        row.item.reaction,
        row.lane,
        maybe_micros(row.due),
    )


def find(connection: sqlite3.Connection, id: str) -> AgendaEntry | None:
    """Return one entry."""
    row = _find(connection, id)
    return None if row is None else row.entry


def _find(connection: sqlite3.Connection, id: str) -> AgendaRow | None:
    columns = connection.execute(BY_ID, (id,)).fetchone()
    return None if columns is None else _row(columns)


def take(connection: sqlite3.Connection, id: str, token: int, now: datetime) -> bool:
    """End a loan and remove its item; False when the loan is stale."""
    # In one statement what `is_lent_under` says: each handler begins with it.
    taken = connection.execute(
        "DELETE FROM er_agenda WHERE id = ? AND token = ? AND owner IS NOT NULL RETURNING reaction, lane", (id, token)
    ).fetchall()
    # The next is called in this very transaction: a lane without a due head would be found by nobody.
    return _call_next(connection, taken, now)


def cancel(connection: sqlite3.Connection, id: str, now: datetime) -> bool:
    """Remove an item, lent or not; False when there is none."""
    taken = connection.execute("DELETE FROM er_agenda WHERE id = ? RETURNING reaction, lane", (id,)).fetchall()
    return _call_next(connection, taken, now)


def _call_next(connection: sqlite3.Connection, ended: Sequence[tuple[str, str | None]], now: datetime) -> bool:
    """Make the head of the lane of what has ended due, if it is not; tell whether anything has ended."""
    for reaction, lane in ended:
        if lane is not None:
            connection.execute(
                f"UPDATE er_agenda SET due = coalesce(not_before, ?) WHERE position = ({HEAD}) AND due IS NULL",
                (micros(now), reaction, lane),
            )
    return bool(ended)


def retry(connection: sqlite3.Connection, id: str, token: int, *, due: datetime, error: str) -> bool:
    """End a loan with a failure, to be tried again; False when the loan is stale."""
    row = _find(connection, id)
    if row is None or not is_lent_under(row, token):
        return False
    _put(connection, retried(row, due=due, error=error))
    return True


def release(connection: sqlite3.Connection, id: str, token: int, now: datetime) -> bool:
    """End a loan without a try; False when the loan is stale."""
    row = _find(connection, id)
    if row is None or not is_lent_under(row, token):
        return False
    _put(connection, released(row, now=now))
    return True


def bury(connection: sqlite3.Connection, id: str, token: int, letter: DeadLetter, now: datetime) -> bool:
    """End a loan with a dead letter; False when the loan is stale."""
    if not take(connection, id, token, now):
        return False
    write_letter(connection, letter)
    return True


def reschedule(connection: sqlite3.Connection, id: str, due: datetime) -> bool:
    """Give an item another due time; False when there is none."""
    row = _find(connection, id)
    if row is None:
        return False
    _put(connection, rescheduled(row, due))
    return True


def _put(connection: sqlite3.Connection, row: AgendaRow) -> None:
    connection.execute(
        "UPDATE er_agenda SET not_before = ?, due = ?, attempts = ?, history = ?, owner = ?, token = ?"
        " WHERE position = ?",
        (
            maybe_micros(row.item.due),
            maybe_micros(row.due),
            row.attempts,
            history_text(row.history),
            row.owner,
            row.token,
            row.number,
        ),
    )


def close(connection: sqlite3.Connection, letter: DeadLetter, *, replay: bool, now: datetime) -> None:
    """Put the item of a dead letter back, or leave it at that."""
    if replay:
        connection.execute(_ADD, _values(put_back(letter, number=0, now=now)))


def due_entries(
    connection: sqlite3.Connection, reactions: Sequence[str], *, limit: int, now: datetime
) -> list[AgendaRow]:
    """Return the entries that have been due for longest. Reads the heads only."""
    rows: list[AgendaRow] = []
    for reaction in dict.fromkeys(reactions):
        rows.extend(_row(columns) for columns in connection.execute(DUE, (reaction, micros(now), limit)))
    rows.sort(key=lambda row: (row.due, row.number))
    return rows[:limit]


def claim(
    connection: sqlite3.Connection,
    reactions: Sequence[str],
    *,
    owner: str,
    limit: int,
    lease: timedelta,
    now: datetime,
) -> tuple[AgendaEntry, ...]:
    """Lend due entries: until the lease ends they are not due again."""
    due = due_entries(connection, reactions, limit=limit, now=now)
    rows = [lent(row, owner=owner, until=now + lease) for row in due]
    connection.executemany(
        "UPDATE er_agenda SET owner = ?, token = ?, due = ? WHERE position = ?",
        [(row.owner, row.token, maybe_micros(row.due), row.number) for row in rows],
    )
    return tuple(row.entry for row in rows)


def next_due(connection: sqlite3.Connection, reactions: Sequence[str]) -> datetime | None:
    """Return when the next entry may be lent."""
    heads = [connection.execute(NEXT_DUE, (reaction,)).fetchone() for reaction in dict.fromkeys(reactions)]
    return maybe_moment(min((head[0] for head in heads if head is not None), default=None))


def backlog(connection: sqlite3.Connection, reactions: Sequence[str] | None, *, limit: int) -> int:
    """Count entries, up to `limit`."""
    if reactions is None:
        return _count(connection, "", (limit,))
    counts = (_count(connection, "WHERE reaction = ?", (each, limit)) for each in dict.fromkeys(reactions))
    return min(sum(counts), limit)


def _count(connection: sqlite3.Connection, where: str, names: tuple[Value, ...]) -> int:
    statement = f"SELECT count(*) FROM (SELECT 1 FROM er_agenda {where} LIMIT ?)"
    (counted,) = connection.execute(statement, names).fetchone()
    return int(counted)


def entries(
    connection: sqlite3.Connection, reactions: Sequence[str] | None, *, limit: int, after: str | None
) -> tuple[AgendaEntry, ...]:
    """Return entries in the order of adding, from the beginning when the one to begin behind has ended."""
    last = connection.execute("SELECT position FROM er_agenda WHERE id = ?", (after,)).fetchone()
    behind = -1 if last is None else last[0]
    if reactions is None:
        return tuple(_row(columns).entry for columns in connection.execute(_LIST_ALL, (behind, limit)))
    rows: list[AgendaRow] = []
    for reaction in dict.fromkeys(reactions):
        rows.extend(_row(columns) for columns in connection.execute(LIST, (reaction, behind, limit)))
    rows.sort(key=lambda row: row.number)
    return tuple(row.entry for row in rows[:limit])


def reactions(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return every reaction that has an entry, by name."""
    return tuple(reaction for (reaction,) in connection.execute(REACTIONS))
