"""What goes wrong with a composed application: its life cycle and its dynamic door."""

from __future__ import annotations

from collections.abc import Sequence

from effect_runtime.errors._root import EffectRuntimeError


class AppNotRunning(EffectRuntimeError):
    """Report the use of an application that is not running."""

    def __init__(self, app: str, *, what: str) -> None:
        super().__init__(app, what)
        self.app = app
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} needs app {self.app!r} to be running. Call it inside `async with app.running():`."


class AppAlreadyRunning(EffectRuntimeError):
    """Report a second `running()` of one application."""

    def __init__(self, app: str) -> None:
        super().__init__(app)
        self.app = app

    def __str__(self) -> str:
        return f"App {self.app!r} is running already. Leave the first `running()`, or build a second App."


class MessageUnknown(EffectRuntimeError):
    """Report a message for which the application has no handler."""

    def __init__(self, message: str, *, known: Sequence[str]) -> None:
        super().__init__(message, tuple(known))
        self.message = message
        self.known = tuple(known)

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"No command or query is named {self.message!r}. Known: {known}. Register it with @context.command."


class MessageAmbiguous(EffectRuntimeError):
    """Report a message that several handlers of the application take."""

    def __init__(self, message: str, *, handlers: Sequence[str]) -> None:
        super().__init__(message, tuple(handlers))
        self.message = message
        self.handlers = tuple(handlers)

    def __str__(self) -> str:
        return (
            f"{self.message!r} is taken by several handlers: {', '.join(self.handlers)}. "
            "Send (name, fields) with one of these names."
        )


class CommandIdWithoutCommand(EffectRuntimeError):
    """Report a command id that was given for something else than one dispatched command."""

    def __init__(self, command_id: str, *, program: str) -> None:
        super().__init__(command_id, program)
        self.command_id = command_id
        self.program = program

    def __str__(self) -> str:
        return (
            f"command_id {self.command_id!r} was given for {self.program}, but an id names one command. "
            "Pass `command(message)` alone, or run each command by itself with its own id."
        )


class WiringUnknown(EffectRuntimeError):
    """Report a transport interpreter that the application cannot build."""

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name = name
        self.known = tuple(known)

    def __str__(self) -> str:
        return f"transport={self.name!r} is unknown. Use one of {', '.join(map(repr, self.known))}, or an instance."
