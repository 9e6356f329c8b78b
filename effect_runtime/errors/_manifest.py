"""What goes wrong with a wire manifest: its text, what is to be retired, and the application it is compared with."""

from __future__ import annotations

from typing import final

from effect_runtime.errors._root import EffectRuntimeError


@final
class BadManifest(EffectRuntimeError):
    """Refuse a text that is no wire manifest; names the line or the field at fault."""

    def __init__(self, where: str, *, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"The wire manifest cannot be read: {self.where} {self.problem}. "
            "Take the committed text back and let `python -m effect_runtime.manifest write` change it."
        )


@final
class NotRetirable(EffectRuntimeError):
    """Refuse to retire a name; `reason` says whether nobody knows it, or somebody still uses it."""

    def __init__(self, name: str, *, reason: str, fix: str) -> None:
        super().__init__(name, reason, fix)
        self.name = name
        self.reason = reason
        self.fix = fix

    def __str__(self) -> str:
        return f"'{self.name}' cannot be retired: {self.reason}. {self.fix}"


@final
class AppNotFound(EffectRuntimeError):
    """Report words on a command line that name no application."""

    def __init__(self, target: str, *, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"'{self.target}' names no application: {self.reason}. "
            "Write MODULE:NAME, where NAME is an App or a function that makes one without arguments."
        )
