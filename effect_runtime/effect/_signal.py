"""The signal by which a typed failure travels through a running program.

It knows no loop. It is no `Exception`, so a broad `except Exception` in a do-block cannot swallow a declared failure.
"""

from __future__ import annotations

from typing import Any, final


@final
class Raised(BaseException):
    """Carry a typed failure through generators, so that each `finally` on the way runs."""

    def __init__(self, error: Any) -> None:
        self.error = error

    def __str__(self) -> str:
        return f"typed failure {self.error!r}"
