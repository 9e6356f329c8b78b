"""How errors become the text that dead letters and waiting rows keep: bounded, and with the place.

Knows no store. What it returns is for people; nothing parses it.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

ERROR_LENGTH: Final = 2_000
"""The longest text kept of one error."""

HISTORY_LENGTH: Final = 20
"""The most attempts kept of one event: the first half and the last half."""


def bounded(text: str) -> str:
    """Return the text, cut in the middle when it is longer than we keep."""
    if len(text) <= ERROR_LENGTH:
        return text
    half = (ERROR_LENGTH - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def extended(history: Sequence[str], entry: str) -> tuple[str, ...]:
    """Return the history with one more entry; of a long one the middle is dropped."""
    entries = (*history, bounded(entry))
    if len(entries) <= HISTORY_LENGTH:
        return entries
    half = HISTORY_LENGTH // 2
    return (*entries[:half], *entries[-half:])


def described(exception: BaseException) -> str:
    """Return what an exception says and where it was raised."""
    said = "".join(traceback.format_exception_only(exception)).strip()
    frames = traceback.extract_tb(exception.__traceback__)
    if not frames:
        return bounded(said)
    last = frames[-1]
    return bounded(f"{said} ({last.filename}:{last.lineno} in {last.name})")
