"""How long a store remembers what is done, as durations, and what was removed, as counts.

Says when something is old; the store says what is still needed and keeps that, however old it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import asdict, evolve, field, frozen, validators

from effect_runtime.outbox._ports import Kept

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_not_negative: Final = validators.ge(timedelta(0))
_not_negative_or_never: Final = validators.optional(_not_negative)


def _days(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)


@frozen(kw_only=True)
class Retention:
    """How long a store keeps what is done; None is for ever.

    `events`: from the commit on, once every destination has accepted them; a subscription that starts `earliest` later
    cannot get them any more. `inbox`: for how long a second delivery of an event without a key is known as one;
    events with a key are told by their number for ever. `answers`: for how long a command id is known. `letters`: from
    the moment in which a dead letter was replayed or discarded. `audit` is kept for ever unless it is said otherwise.
    `every` is the rest between two rounds, `batch` how many rows one short transaction looks at, `pause` the rest
    after each of those.
    """

    events: timedelta | None = field(default=_days(30), validator=_not_negative_or_never)
    inbox: timedelta | None = field(default=_days(30), validator=_not_negative_or_never)
    answers: timedelta | None = field(default=_days(30), validator=_not_negative_or_never)
    letters: timedelta | None = field(default=_days(90), validator=_not_negative_or_never)
    audit: timedelta | None = field(default=_days(None), validator=_not_negative_or_never)
    every: timedelta = field(default=timedelta(hours=1), validator=validators.gt(timedelta(0)))
    batch: int = field(default=200, validator=validators.ge(1))
    pause: timedelta = field(default=timedelta(milliseconds=5), validator=_not_negative)

    @classmethod
    def for_ever(cls) -> Retention:
        """Return a retention that keeps everything."""
        return cls(events=None, inbox=None, answers=None, letters=None, audit=None)

    def cutoffs(self, now: datetime) -> Iterator[tuple[Kept, datetime]]:
        """Say of each kind before which moment it is old; kinds that are kept for ever are left out."""
        for kept in Kept:
            # A kind is named like its duration, so a new kind without one fails here instead of being kept for ever.
            duration: timedelta | None = getattr(self, kept.value)
            # Longer than the calendar goes back is for ever, too.
            if duration is not None and duration <= now - _BEGINNING:
                yield kept, now - duration


@frozen(kw_only=True)
class Purged:
    """How many rows of each kind were removed."""

    events: int = 0
    inbox: int = 0
    answers: int = 0
    letters: int = 0
    audit: int = 0

    @property
    def total(self) -> int:
        """Return how many rows were removed in all."""
        return self.events + self.inbox + self.answers + self.letters + self.audit

    def plus(self, kept: Kept, removed: int) -> Purged:
        """Return these counts with some more of one kind."""
        return self + Purged(**{kept.value: removed}) if removed else self

    def __add__(self, other: Purged) -> Purged:
        return evolve(self, **{name: getattr(self, name) + count for name, count in asdict(other).items()})
