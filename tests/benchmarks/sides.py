"""Sides that the tests of the frame observe: one right, one wrong, one broken."""

from __future__ import annotations


def right(count: int) -> tuple[float, object]:
    """Answer with the count."""
    return 2.0, count


def wrong(count: int) -> tuple[float, object]:
    """Answer with something else, fast."""
    return 0.1, count + 1


def broken(count: int) -> tuple[float, object]:
    """Answer with nothing."""
    raise LookupError(count)
