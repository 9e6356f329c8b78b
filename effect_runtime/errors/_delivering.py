"""What goes wrong between a commit and a subscription's own commit.

`DestinationUnavailable` and its kin are trouble of the destination: nothing is wrong with the message, so no attempt
is spent. `MessageRejected` is trouble of the message.
"""

from __future__ import annotations

from collections.abc import Sequence

from effect_runtime.errors._root import EffectRuntimeError


class DestinationUnavailable(EffectRuntimeError):
    """Report that a destination could not be asked: unreachable, silent, or at its capacity."""

    def __init__(self, destination: str, *, reason: str) -> None:
        super().__init__(destination, reason)
        self.destination = destination
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Destination {self.destination!r} is unavailable: {self.reason}. "
            "Nothing is lost and no attempt is spent; delivery goes on when it answers again."
        )


class PartitionPaused(DestinationUnavailable):
    """Report that one key of one subscription holds as many waiting events as it may."""

    def __init__(self, subscription: str, *, topic: str, key: str, waiting: int, bound: int) -> None:
        super().__init__(subscription, reason=f"key {key!r} of topic {topic!r} is paused")
        self.subscription = subscription
        self.topic = topic
        self.key = key
        self.waiting = waiting
        self.bound = bound

    def __str__(self) -> str:
        return (
            f"Key {self.key!r} of topic {self.topic!r} is paused for subscription {self.subscription!r}: "
            f"{self.waiting} events wait for its head and at most {self.bound} may. "
            "Replay or discard the key's dead letter, or let its missing event arrive."
        )


class MessageRejected(EffectRuntimeError):
    """Report that a destination, or the codec, refused one message for what it is."""

    def __init__(self, destination: str, *, reason: str, event: str | None = None) -> None:
        super().__init__(destination, reason, event)
        self.destination = destination
        self.reason = reason
        self.event = event

    def __str__(self) -> str:
        what = "A message" if self.event is None else f"Event {self.event!r}"
        return (
            f"{what} was rejected by destination {self.destination!r}: {self.reason}. "
            "It is tried again by its schedule and then becomes a dead letter; correct the cause and replay it."
        )


class AlreadyListening(EffectRuntimeError):
    """Report a second listener for one subscription on one in-process wire."""

    def __init__(self, subscription: str) -> None:
        super().__init__(subscription)
        self.subscription = subscription

    def __str__(self) -> str:
        return (
            f"Subscription {self.subscription!r} is listening on this wire already. "
            "Leave the first `listening` before entering another, or give each application its own InProcess()."
        )


class DeadLetterUnknown(EffectRuntimeError):
    """Report an id under which no dead letter is stored."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"No dead letter has the id {self.id!r}. List the stored ones with `dead_letters.list()`."


class DeadLetterClosed(EffectRuntimeError):
    """Report a dead letter that was replayed or discarded already."""

    def __init__(self, id: str, *, state: str) -> None:
        super().__init__(id, state)
        self.id = id
        self.state = state

    def __str__(self) -> str:
        return (
            f"Dead letter {self.id!r} was {self.state} already. "
            "If its event failed again there is a newer letter: list the open ones with `dead_letters.list()`."
        )


class DeadLetterNotReplayable(EffectRuntimeError):
    """Report a dead letter that keeps a description and no message: its queue held events in memory only."""

    def __init__(self, id: str, *, destination: str) -> None:
        super().__init__(id, destination)
        self.id = id
        self.destination = destination

    def __str__(self) -> str:
        return (
            f"Dead letter {self.id!r} of {self.destination!r} cannot be replayed: it keeps no message, as its queue is "
            "volatile. Discard it and do by hand what is missing; a queue with durable=True keeps messages."
        )


class PublishForbidden(EffectRuntimeError):
    """Report integration events where none may be published, for example in a query."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(tuple(types))
        self.types = tuple(types)

    def __str__(self) -> str:
        names = ", ".join(repr(name) for name in self.types)
        return f"Nothing may be published here, but {names} was. Publish from a command of the topic's own context."
