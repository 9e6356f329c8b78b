"""What goes wrong around generated tests: values that nobody can draw, and claims that turned out not to hold.

What refutes a claim is an `AssertionError` too, so that every test runner reports it as a failed test.
"""

from __future__ import annotations

from collections.abc import Sequence

from effect_runtime.errors._root import EffectRuntimeError


class ExtraMissing(EffectRuntimeError, ImportError):
    """Report a chapter that is imported without the packages it stands on."""

    def __init__(self, chapter: str, *, package: str, extra: str) -> None:
        super().__init__(chapter, package, extra)
        self.chapter = chapter
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"{self.chapter} needs {self.package}, which is not installed. "
            f'Install the extra: pip install "effect-runtime[{self.extra}]".'
        )


class NoStrategy(EffectRuntimeError):
    """Report a field or a class for which no strategy follows from its annotations; `key` is what to override."""

    def __init__(self, subject: str, *, key: str, reason: str) -> None:
        super().__init__(subject, key, reason)
        self.subject = subject
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"no strategy for {self.subject}: {self.reason}. "
            f"Say what its values are: overrides={{{self.key}: ...}}, with a strategy of hypothesis."
        )


class ValuesRefused(EffectRuntimeError):
    """Report a class that refused every value that was drawn for it."""

    def __init__(self, name: str, *, count: int, field: str | None, reason: str) -> None:
        super().__init__(name, count, field, reason)
        self.name = name
        self.count = count
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        key = self.name if self.field is None else f"{self.name}.{self.field}"
        reason = self.reason.rstrip(".")
        return (
            f"{self.name} refused all of {self.count} values drawn for it, the last with: {reason}. "
            f"Say what it takes: overrides={{{key}: ...}}, with a strategy of hypothesis."
        )


class ModelDisagrees(EffectRuntimeError, AssertionError):
    """Report a command that ended otherwise than a model says; `story` has those before it and their exits."""

    def __init__(self, message: str, *, exit: str, expected: str, story: Sequence[str]) -> None:
        super().__init__(message, exit, expected, tuple(story))
        self.message = message
        self.exit = exit
        self.expected = expected
        self.story = tuple(story)

    def __str__(self) -> str:
        return (
            f"the application and its model disagree about {self.message}\n"
            f"  application: {self.exit}\n  model:       {self.expected}\n{_told(self.story)}"
            f"Correct the one that is wrong."
        )


class InvariantBroken(EffectRuntimeError, AssertionError):
    """Report an invariant that does not hold any more; `story` has the commands so far and their exits.

    `said` is what the invariant said, or what it was answered.
    """

    def __init__(self, claim: str, *, story: Sequence[str], said: Sequence[str] = ()) -> None:
        super().__init__(claim, tuple(story), tuple(said))
        self.claim = claim
        self.story = tuple(story)
        self.said = tuple(said)

    def __str__(self) -> str:
        said = "".join(f"  {line}\n" for line in self.said)
        return (
            f"{self.claim} does not hold\n{said}{_told(self.story)}Correct what the last command did, or the invariant."
        )


class NotRoundTripping(EffectRuntimeError, AssertionError):
    """Report a value that is not what it was after it was encoded and decoded."""

    def __init__(self, subject: str, *, value: str, outcome: str) -> None:
        super().__init__(subject, value, outcome)
        self.subject = subject
        self.value = value
        self.outcome = outcome

    def __str__(self) -> str:
        return (
            f"{self.subject} does not survive its own encoding\n  written: {self.value}\n  read:    {self.outcome}\n"
            f"Make its converters and validators take what they produce, or correct the upcaster."
        )


class HalfDone(EffectRuntimeError, AssertionError):
    """Report a command that something interrupted, and that left what it must not leave."""

    def __init__(self, command: str, *, event: str, problem: str, difference: Sequence[str] = ()) -> None:
        super().__init__(command, event, problem, tuple(difference))
        self.command = command
        self.event = event
        self.problem = problem
        self.difference = tuple(difference)

    def __str__(self) -> str:
        lines = "".join(f"\n  {line}" for line in self.difference)
        return (
            f"{self.command} is not safe: {self.event}, and {self.problem}. Do everything in the command's own "
            f"transaction, declare its failures, and tell the outside by an event or an idempotent operation.{lines}"
        )


class Deadlocked(EffectRuntimeError):
    """Report a program that waits for what will never come; `fibers` tells who waits, and where."""

    def __init__(self, ending: str, *, fibers: Sequence[str]) -> None:
        super().__init__(ending, tuple(fibers))
        self.ending = ending
        self.fibers = tuple(fibers)

    def __str__(self) -> str:
        lines = "".join(f"\n  {fiber}" for fiber in self.fibers)
        return f"{self.ending}. Let somebody do what these wait for, or give them a timeout:{lines}"


def _told(story: Sequence[str]) -> str:
    return "".join(f"  {number}. {line}\n" for number, line in enumerate(story, 1))
