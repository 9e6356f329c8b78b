"""Moments as they are stored: whole microseconds since 1970, in UTC, so that they sort and lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return a moment as it is stored."""
    # Whole numbers throughout: a timestamp is a float, and loses microseconds.
    return (moment - _EPOCH) // _MICROSECOND


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
