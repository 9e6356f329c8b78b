"""What a topic and its events are called on the wire, and what is recorded of them while modules are imported.

Data only: it judges nothing. The record hangs on the topic class, so there is no registry beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import Factory, define, frozen

from effect_runtime.integration._envelope import Envelope

WIRE: Final = "__wire__"
TOPIC: Final = "__topic__"

Payload: TypeAlias = Mapping[str, Any]
"""The fields of an event as plain JSON values."""

Upcast: TypeAlias = Callable[[Payload, Envelope], Payload]


@frozen(kw_only=True)
class WireIdentity:
    """Name one event class on the wire.

    `oldest` is the first version that is still read; `formerly` holds names that older publishers used.
    """

    name: str
    version: int
    key: str | None
    oldest: int
    formerly: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name under which the event is read."""
        return (self.name, *self.formerly)


@frozen
class Upcaster:
    """Turn the payload of one version of one event into the next version's."""

    event: str
    version: int
    function: Upcast


@define
class TopicRecord:
    """Hold what is known of one topic; owned by the topic class, written at import, read afterwards.

    `events` has one entry for each class statement: attrs builds a class with slots twice, and the later one counts.
    """

    name: str
    events: dict[str, type[Any]] = Factory(dict)
    upcasters: dict[tuple[str, int, str], Upcaster] = Factory(dict)


def statement_of(defined: Any) -> str:
    """Name the statement that made a class or function; both builds of a class with slots have the same."""
    return f"{defined.__module__}.{defined.__qualname__}"


def own_wire(cls: type) -> WireIdentity | None:
    """Return the identity that was given to this very class."""
    found: WireIdentity | None = vars(cls).get(WIRE)
    return found


def topic_record(cls: type) -> TopicRecord | None:
    """Return the record of the topic that a class is, or belongs to."""
    found: TopicRecord | None = getattr(cls, TOPIC, None)
    return found
