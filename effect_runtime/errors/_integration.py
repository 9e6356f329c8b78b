"""What goes wrong between an event and its bytes.

Each error takes facts (names, attributes, a problem per field path) and builds its own sentence. It knows no codec.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from effect_runtime.errors._root import EffectRuntimeError


class UndecodableMessage(EffectRuntimeError):
    """Be the one class of everything wrong with a received message: trouble of the message, never of a destination."""


@final
class BadEnvelope(UndecodableMessage):
    """Refuse a message that is no CloudEvent that we can read; names the attribute at fault."""

    def __init__(self, attribute: str, *, problem: str, fix: str) -> None:
        super().__init__(attribute, problem, fix)
        self.attribute = attribute
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        return f"Envelope attribute '{self.attribute}' {self.problem}. {self.fix}"


@final
class BadPayload(UndecodableMessage):
    """Refuse an event whose payload does not fit its class; holds one problem for each field path."""

    def __init__(self, type: str, version: int, *, faults: Mapping[str, str]) -> None:
        super().__init__(type, version, faults)
        self.type = type
        self.version = version
        self.faults = dict(faults)

    def __str__(self) -> str:
        return (
            f"The payload of '{self.type}' version {self.version} cannot be read: {_listed(self.faults)}. "
            "Correct the publisher, or give the field a default, or write an @upcaster for that version."
        )


@final
class UnknownEvent(UndecodableMessage):
    """Refuse an event of a type, or of a version, that nobody here knows."""

    def __init__(self, type: str, version: int, *, known: tuple[str, ...]) -> None:
        super().__init__(type, version, known)
        self.type = type
        self.version = version
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return (
            f"No event class here reads '{self.type}' version {self.version}; known: {known}. "
            "Deploy the contracts that define it, then replay the dead letter."
        )


@final
class Unserializable(EffectRuntimeError):
    """Refuse to encode a value that does not hold what its annotations say; holds one problem for each field path."""

    def __init__(self, subject: str, *, faults: Mapping[str, str]) -> None:
        super().__init__(subject, faults)
        self.subject = subject
        self.faults = dict(faults)

    def __str__(self) -> str:
        return (
            f"{self.subject} cannot be encoded: {_listed(self.faults)}. "
            "Build it with values of the annotated types; a datetime needs a timezone, a number must be finite."
        )


@final
class Undecodable(EffectRuntimeError):
    """Refuse stored bytes that do not hold a value of the expected type; holds one problem for each path."""

    def __init__(self, subject: str, *, faults: Mapping[str, str]) -> None:
        super().__init__(subject, faults)
        self.subject = subject
        self.faults = dict(faults)

    def __str__(self) -> str:
        return (
            f"Stored bytes are no {self.subject}: {_listed(self.faults)}. "
            "Keep the old shape readable (defaults for new fields), or delete the stored value."
        )


@final
class ForeignEvent(EffectRuntimeError):
    """Refuse an event where it does not belong: not of this kind, or not of this context."""

    def __init__(self, event: str, *, place: str, reason: str, fix: str) -> None:
        super().__init__(event, place, reason, fix)
        self.event = event
        self.place = place
        self.reason = reason
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.event} was refused by {self.place}: {self.reason}. {self.fix}"


@final
class QueueClosed(EffectRuntimeError):
    """Refuse an event that was added after the unit of work ended."""

    def __init__(self, queue: str, *, event: str) -> None:
        super().__init__(queue, event)
        self.queue = queue
        self.event = event

    def __str__(self) -> str:
        return (
            f"{self.event} was added to the {self.queue} of a unit of work that has ended. "
            "Use the runtime only inside the handler it was built for."
        )


class EventNameWarning(UserWarning):
    """Warn of a domain event whose name does not read as something that has happened."""

    def __init__(self, event: str, *, ending: str) -> None:
        super().__init__(event, ending)
        self.event = event
        self.ending = ending

    def __str__(self) -> str:
        return f"The domain event {self.event} does not end in {self.ending!r}. Rename it: ...{self.ending}."


def _listed(faults: Mapping[str, str]) -> str:
    return "; ".join(f"{path}: {problem}" if path else problem for path, problem in faults.items())
