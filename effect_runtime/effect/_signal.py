"""The signal by which a typed failure travels through a running program.

It knows no loop. It is no `Exception`, so a broad `except Exception` in a do-block cannot swallow a declared failure.
"""

from __future__ import annotations

from typing import Any, final


@final
class Raised(BaseException):
    """Carry a typed failure through generators, so that each `finally` on the way runs.

    It has no `__init__`: the failure is its one argument, which makes it cheap to raise.
    """

    @property
    def error(self) -> Any:
        """Return the failure."""
        return self.args[0]

    def __str__(self) -> str:
        return f"typed failure {self.error!r}"
