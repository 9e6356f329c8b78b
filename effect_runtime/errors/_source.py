"""What goes wrong before the source check can look at a file."""

from __future__ import annotations

from effect_runtime.errors._root import EffectRuntimeError


class SourceUnreadable(EffectRuntimeError):
    """Report a file that the source check cannot read or parse."""

    def __init__(self, filename: str, *, line: int | None, reason: str) -> None:
        super().__init__(filename, line, reason)
        self.filename = filename
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        place = self.filename if self.line is None else f"{self.filename}:{self.line}"
        return f"{place}: cannot be checked: {self.reason}. Name Python files or folders that hold them."
