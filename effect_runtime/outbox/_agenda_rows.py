"""The life of an agenda entry in a store, decided: added, lent, tried again, moved, put back.

Pure: a store reads a row, asks here, and writes what comes back. Knows no table, no clock; time is an argument.
"""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, frozen

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.errors import BadEnvelope, DeadLetterNotReplayable
from effect_runtime.integration import Message, decode_message
from effect_runtime.outbox._lending import KEPT_ERRORS
from effect_runtime.outbox._ports import DeadLetter


@frozen(kw_only=True)
class AgendaRow:
    """What is known of an entry. `number` is its place in the order of adding, `lane` the key that it waits under.

    `due` is when it may be lent: while it is lent, the end of its lease; None behind another one of its lane.
    """

    item: AgendaItem
    number: int
    lane: str | None
    since: datetime
    due: datetime | None
    token: int
    attempts: int = 0
    history: tuple[str, ...] = ()
    owner: str | None = None

    @property
    def id(self) -> str:
        """Return the id of its item."""
        return self.item.envelope.id

    @property
    def line(self) -> tuple[str, str] | None:
        """Return the lane in which it waits, if it has one."""
        return None if self.lane is None else (self.item.reaction, self.lane)

    @property
    def entry(self) -> AgendaEntry:
        """Return it as the agenda shows it."""
        return AgendaEntry(
            item=self.item,
            since=self.since,
            due=self.due,
            attempts=self.attempts,
            history=self.history,
            token=self.token,
            is_lent=self.owner is not None,
        )


def first_token(now: datetime) -> int:
    """Return where the tokens of a new entry start: no loan from an earlier life of its id can ever match one."""
    return int(now.timestamp() * 1_000_000)


def added(item: AgendaItem, *, number: int, behind: bool, now: datetime) -> AgendaRow:
    """Return the row of a new item; one that stands behind another of its lane has no due time yet."""
    return AgendaRow(
        item=item,
        number=number,
        lane=item.envelope.key,
        since=now,
        due=None if behind else item.due or now,
        token=first_token(now),
    )


def is_lent_under(row: AgendaRow | None, token: int) -> bool:
    """Tell whether a token belongs to the entry's present loan; otherwise the loan is stale."""
    return row is not None and row.owner is not None and row.token == token


def lent(row: AgendaRow, *, owner: str, until: datetime) -> AgendaRow:
    """Return the row while it is lent."""
    return evolve(row, owner=owner, token=row.token + 1, due=until)


def retried(row: AgendaRow, *, due: datetime, error: str) -> AgendaRow:
    """Return the row after a failed attempt: at the head of its lane, due later."""
    history = (*row.history, error)[-KEPT_ERRORS:]
    return evolve(row, owner=None, due=due, attempts=row.attempts + 1, history=history)


def released(row: AgendaRow, *, now: datetime) -> AgendaRow:
    """Return the row of an entry that was given back without a try."""
    return evolve(row, owner=None, due=now)


def called(row: AgendaRow, *, now: datetime) -> AgendaRow:
    """Return the row when the one before it in its lane has ended: due at its own time."""
    return evolve(row, due=row.item.due or now)


def rescheduled(row: AgendaRow, due: datetime) -> AgendaRow:
    """Return the row with another time of its own; it keeps its place in its lane, and loans of it become stale."""
    return evolve(
        row,
        item=evolve(row.item, due=due),
        # Behind another it stays: its own time counts once its turn has come.
        due=None if row.due is None else due,
        attempts=0,
        history=(),
        owner=None,
        token=row.token + 1,
    )


def put_back(letter: DeadLetter, *, number: int, now: datetime) -> AgendaRow:
    """Return the row of a dead letter that is replayed: due at once and outside the order of its lane.

    Raises `errors.DeadLetterNotReplayable` where the letter holds no message.
    """
    try:
        envelope = decode_message(Message(letter.body, {}))
    except BadEnvelope as error:
        raise DeadLetterNotReplayable(letter.id, destination=letter.destination) from error
    row = added(AgendaItem(reaction=letter.destination, envelope=envelope), number=number, behind=False, now=now)
    # Outside of its lane: those behind it went on when it was buried.
    return evolve(row, lane=None)
