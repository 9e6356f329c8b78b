"""What an application is made of, as one value. Knows nothing that is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from effect_runtime.dispatch import Binding, Diagnostic, Signature, Subscription, TransportInterpreter
from effect_runtime.integration import Secrets, Topic, Transport
from effect_runtime.interpreter import Host, Interpreter
from effect_runtime.outbox import ConsumerPolicy, Pace, RelayPolicy, Retention

Profile: TypeAlias = Literal["development", "production", "test"]
"""Where an application runs; "production" refuses whatever may lose events."""


@frozen(eq=False, kw_only=True)
class Plan:
    """An application as its composition root describes it."""

    name: str
    bindings: tuple[Binding, ...]
    wire: Transport | None
    profile: Profile
    transport: Literal["outbox", "immediate"] | TransportInterpreter
    interpreter: Interpreter
    diagnose: Callable[[Diagnostic], None]
    tenant: str | None
    foreign_topics: tuple[type[Topic], ...]
    relay: RelayPolicy | None
    consumer: ConsumerPolicy | None
    pace: Pace | None
    drain: timedelta
    secrets: Secrets
    retention: Retention | None
    elsewhere: tuple[Subscription[Any], ...] = ()
    """Subscriptions of contexts that run in other processes."""
    signatures: dict[object, Signature] = field(factory=dict, repr=False)
    """What was read of handlers when it was first opened: the same wherever it is moved to. Owned by the plan."""

    @property
    def host(self) -> Host:
        """Return the host that everything runs on."""
        return self.interpreter.host

    @property
    def subscriptions(self) -> tuple[Subscription[Any], ...]:
        """Return the subscriptions of all contexts, and those of contexts that run elsewhere."""
        here = (each for binding in self.bindings for each in binding.context.subscriptions)
        return (*here, *self.elsewhere)
