"""What goes wrong when a dead letter is made into a test, and when that test runs.

Each says what the recording holds and what was asked of it: nothing is ever answered that was not recorded.
"""

from __future__ import annotations

from effect_runtime.errors._root import EffectRuntimeError


class DeadLetterNotReproducible(EffectRuntimeError):
    """Report a dead letter behind which there is no attempt of a handler."""

    def __init__(self, id: str, *, reason: str, fix: str) -> None:
        super().__init__(id, reason, fix)
        self.id = id
        self.reason = reason
        self.fix = fix

    def __str__(self) -> str:
        return f"Dead letter {self.id!r} cannot become a test: {self.reason}. {self.fix}"


class RecordingDiverged(EffectRuntimeError):
    """Report a handler that asked for something else than it did when it was recorded."""

    def __init__(self, number: int, *, recorded: str, performed: str) -> None:
        super().__init__(number, recorded, performed)
        self.number = number
        self.recorded = recorded
        self.performed = performed

    def __str__(self) -> str:
        return (
            f"The handler diverged at operation {self.number}: recorded was {self.recorded}, performed is "
            f"{self.performed}. What it would have been answered nobody knows: if the change is meant, "
            "say so with replayed(..., answers={Port.method: lambda ...: ...})."
        )


class AnswerNotRecorded(EffectRuntimeError):
    """Report an operation whose answer the recording does not hold."""

    def __init__(self, number: int, *, performed: str, reason: str) -> None:
        super().__init__(number, performed, reason)
        self.number = number
        self.performed = performed
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Operation {self.number}, {self.performed}, has no recorded answer: {self.reason}. "
            "Give it with replayed(..., answers={Port.method: lambda ...: ...})."
        )


class RecordedDefect(EffectRuntimeError):
    """Stand for an exception that an operation raised when it was recorded and that cannot be built again."""

    def __init__(self, type: str, text: str) -> None:
        super().__init__(type, text)
        self.type = type
        self.text = text

    def __str__(self) -> str:
        return f"When it was recorded, the operation raised {self.type}: {self.text}. The cause lies in its adapter."


class NothingToReplay(EffectRuntimeError):
    """Report a context that does not know what a dead letter was for."""

    def __init__(self, destination: str, *, context: str) -> None:
        super().__init__(destination, context)
        self.destination = destination
        self.context = context

    def __str__(self) -> str:
        return (
            f"Context {self.context!r} has nothing called {self.destination!r}. "
            "Import the module that defines it, or keep its id when it is renamed."
        )


class ReplayIncomplete(EffectRuntimeError):
    """Report a generated test in which a line has still to be filled in."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"Nobody has filled in {self.name!r}: the application's own stands in no module under a name of its own. "
            f"Import it, or write it into the test, where it says `{self.name} = None`."
        )
