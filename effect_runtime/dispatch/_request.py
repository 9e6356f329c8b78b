"""Who asks for what, and in which chain of causes: values that travel beside a message.

Knows nothing of sessions, tokens or HTTP: a door builds a `Principal` from what it has checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from attrs import field, frozen

SYSTEM = "system:"


def _frozen(roles: Iterable[str]) -> frozenset[str]:
    # A named function: mypy cannot read the parameter of a generic class as a converter's.
    return frozenset(roles)


@frozen
class Principal:
    """Name who asks. `Principal.system(id)` stands for the application itself: a subscription, a queue, a due command.

    Only `system` makes one that `is_system`: an id that merely reads like one, taken from a user, gives no rights.
    """

    id: str
    roles: frozenset[str] = field(factory=frozenset, converter=_frozen)
    is_system: bool = field(default=False, init=False)

    @classmethod
    def system(cls, id: str) -> Principal:
        """Name a part of the application: it may use handlers whose access is "internal"."""
        made = cls(f"{SYSTEM}{id}")
        # No argument of the class: no door can be brought to pass a user's word into it.
        object.__setattr__(made, "is_system", True)
        return made


anonymous = Principal("anonymous")
"""The principal of a door that names none."""


@frozen(kw_only=True)
class MessageContext:
    """Carry what a message inherits from what caused it.

    `causation` is the id of the causing message; `traceparent` and `tracestate` are W3C trace context, `tenant` is
    carried and never interpreted here. `delivery` names a subscription, or an after-commit handler, and the event that
    it was given.
    """

    correlation: str
    causation: str | None = None
    principal: Principal = anonymous
    command_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    tenant: str | None = None
    delivery: str | None = None

    @property
    def idempotency_key(self) -> str:
        """Return what stays the same however often this message is tried, for external systems that deduplicate.

        For a subscription its id and the event's, also after a dead letter's replay; for an after-commit handler its
        title and the event's id, likewise; for a command its command id, which a due command always has. A command
        without one cannot be tried again by its caller: its correlation id covers the runtime's own tries.
        """
        return self.delivery or self.command_id or self.correlation


unasked = MessageContext(correlation="none")
"""The context of a runtime that nobody's message asked for: one that a test builds by hand."""

DiagnosticKind: TypeAlias = Literal["external-in-transaction", "external-before-claim", "after-commit", "delivery"]


@frozen(kw_only=True)
class Diagnostic:
    """Tell of something that works and should not stay as it is; `place` is the user's line where it is known.

    `command` is the command's name, for a "delivery" the subscription's id.
    """

    kind: DiagnosticKind
    command: str
    subject: str
    place: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.command}: {self.subject}. {self.advice}"
