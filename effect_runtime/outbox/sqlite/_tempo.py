"""Where a COMMIT runs: on the store's thread, or at once in the event loop where that is quicker than waking a thread.

Decides from how long the last ones took and from what the next one holds. Knows no clock, no connection and no loop.
"""

from __future__ import annotations

from typing import Final, final

QUICK: Final = 0.0005
"""Seconds that a COMMIT may take to count as quick: for so long the loop may stand still."""

TRUSTED: Final = 16
"""Quick COMMITs in a row after which the next one is believed to be quick, too."""

IN_A_ROW: Final = 8
"""COMMITs in the loop after which one goes to the thread, so that other tasks have a turn and a crowd can form."""

SMALL: Final = 64
"""Changed rows up to which a transaction says nothing about its COMMIT's duration."""


@final
class Tempo:
    """Remember how quick commits are. Owned by one writer, which asks before each COMMIT and reports after it."""

    __slots__ = ("_in_a_row", "_quick")

    def __init__(self) -> None:
        self._quick = 0
        self._in_a_row = 0

    def is_at_once(self, *, lone: bool, changed: int) -> bool:
        """Decide on the next COMMIT; `lone`: it belongs to one unit and nobody waits behind it."""
        if lone and changed <= SMALL and self._quick >= TRUSTED and self._in_a_row < IN_A_ROW:
            self._in_a_row += 1
            return True
        self._in_a_row = 0
        return False

    def took(self, seconds: float) -> None:
        """Learn how long a COMMIT took, wherever it ran: one that was slow sends the next ones to the thread."""
        self._quick = min(self._quick + 1, TRUSTED) if seconds < QUICK else 0
