"""Payments that cannot be posted until somebody cures them: one empty file for each cure.

A `Sickness` says who cannot bear the payment. Knows no process: whoever looks sees all cures so far.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class Sickness(Enum):
    """What is wrong with a payment: nothing, the book cannot post it, or the wire does not carry it."""

    NONE = "none"
    BOOK = "book"
    WIRE = "wire"


def cure(folder: Path, payment: str) -> None:
    """Make a payment well, for every process and for ever."""
    (folder / f"{payment}.cured").touch()


def is_cured(folder: Path, payment: str) -> bool:
    """Tell whether somebody has cured it."""
    return (folder / f"{payment}.cured").exists()
