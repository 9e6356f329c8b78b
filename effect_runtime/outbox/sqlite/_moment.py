"""Moments as they are stored: whole microseconds since 1970, in UTC, so that they sort and lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def micros(moment: datetime) -> int:
    """Return a moment as it is stored; one that UTC has no date for is the first or last that it has."""
    # Whole numbers throughout: a timestamp is a float, and loses microseconds. Bounded, because an end of the calendar
    # in another timezone, stored as it is, would be a row that nobody can read again.
    return min(max((moment - _EPOCH) // _MICROSECOND, _FIRST), _LAST)


def span(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return duration // _MICROSECOND


def moment(stored: int) -> datetime:
    """Return a stored moment."""
    return _EPOCH + timedelta(microseconds=stored)


def maybe_micros(when: datetime | None) -> int | None:
    """Return a moment as it is stored, or nothing."""
    return None if when is None else micros(when)


def maybe_moment(stored: int | None) -> datetime | None:
    """Return a stored moment, or nothing."""
    return None if stored is None else moment(stored)
