"""An open context: its store, its resources, and everything about its handlers that need not be looked up twice.

Built when the application starts to run and dropped when it ends; holds no state of any unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import Factory, field, frozen

from effect_runtime.dispatch._after_commit import AfterCommit
from effect_runtime.dispatch._binding import Binding, ReadTransaction, Transaction
from effect_runtime.dispatch._due import Due
from effect_runtime.dispatch._handlers import Command, DomainHandler, Query
from effect_runtime.dispatch._ports import TransportInterpreter, UnitStore
from effect_runtime.dispatch._queues import IdleQueues, Queues
from effect_runtime.dispatch._request import Diagnostic, MessageContext
from effect_runtime.dispatch._signature import Signature, members_of
from effect_runtime.dispatch._subscription import Subscription
from effect_runtime.errors import ConfigurationError, Fault
from effect_runtime.events import Events
from effect_runtime.integration import Outbox, StoredRegistry, Topic, stored_identity
from effect_runtime.interpreter import Host, Interpreter
from effect_runtime.runtime import Clock, Ids, Random, SystemClock, SystemIds, SystemRandom

NOTHING = object()
"""What a context without `resources=` has opened."""


@frozen(eq=False)
class Entry:
    """One handler of an open context with its types."""

    handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]
    signature: Signature


@frozen(eq=False)
class Reaction:
    """What happens on one domain event: its handlers in order, and the failures that it declares."""

    handlers: tuple[DomainHandler, ...]
    declared: tuple[Any, ...] | None


@frozen(eq=False, kw_only=True)
class Services:
    """The services of a host that every runtime may use."""

    clock: Clock
    ids: Ids
    random: Random

    @classmethod
    def of(cls, host: Host) -> Services:
        """Make the services of a host."""
        return cls(clock=SystemClock(host.time), ids=SystemIds(host.entropy), random=SystemRandom(host.entropy))


@frozen(eq=False, kw_only=True)
class Home:
    """One open context of a running application.

    `queues` are its after-commit queues, as far as this process works on them. `writing` names the units that have a
    transaction open, by the task that owns each.
    """

    app: str
    binding: Binding
    store: UnitStore[Any, Any]
    opened: Any
    transport: TransportInterpreter
    host: Host
    services: Services
    interpreter: Interpreter
    diagnose: Callable[[Diagnostic], None]
    tenant: str | None
    commands: Mapping[object, Entry]
    queries: Mapping[object, Entry]
    reactions: Mapping[type, Reaction]
    subscriptions: Mapping[Subscription[Any], Mapping[type, Signature]]
    strangers: dict[type, str | None] = field(factory=dict)
    writing: dict[int, str] = field(factory=dict)
    queues: Queues = field(factory=IdleQueues)
    after_commits: Mapping[type, tuple[AfterCommit, ...]] = Factory(
        lambda home: after_commits_of(home.binding.context.after_commits), takes_self=True
    )
    due_commands: Mapping[type, Entry] = Factory(lambda home: due_commands_of(home.commands), takes_self=True)
    registry: StoredRegistry = Factory(
        lambda home: StoredRegistry((*home.after_commits, *home.due_commands)), takes_self=True
    )

    @property
    def name(self) -> str:
        """Return the context's name."""
        return self.binding.name

    @property
    def source(self) -> str:
        """Return where its events come from, for envelopes."""
        return f"/{self.app}/{self.name}"

    @property
    def topics(self) -> tuple[type[Topic], ...]:
        """Return the topics it owns."""
        topics: tuple[type[Topic], ...] = self.binding.context.publishes
        return topics

    @property
    def due_reactions(self) -> tuple[str, ...]:
        """Return every reaction under which its due commands stand in the agenda, former identities included."""
        wires = (stored_identity(message) for message in self.due_commands)
        return tuple(due_reaction(self.name, name) for wire in wires if wire is not None for name in wire.names)

    def runtime(self, session: Any, events: Events, outbox: Outbox[Any], message: MessageContext, due: Due) -> Any:
        """Build the runtime of one unit of work."""
        services = self.services
        transaction = Transaction(session, events, outbox, services.clock, services.ids, services.random, message, due)
        # A value of its own, because a resource may well be None.
        if self.opened is NOTHING:
            return self.binding.make(transaction)
        return self.binding.make(transaction, self.opened)

    def reading(self, session: Any) -> Any:
        """Build the runtime of one query."""
        services = self.services
        transaction = ReadTransaction(session, services.clock, services.ids, services.random)
        make = self.binding.make_reads
        if make is None:
            return None
        if self.binding.reads_take_resources:
            return make(transaction, self.opened)
        return make(transaction)


def entries_of(handlers: Iterable[Any], known: dict[object, Signature] | None = None) -> dict[object, Entry]:
    """Read the types of commands or queries, but for those that are `known`; what is read is added to them."""
    return {handler: Entry(handler, _read(handler, known)) for handler in handlers}


def reactions_of(handlers: Iterable[DomainHandler], declared: Callable[[type], Any]) -> dict[type, Reaction]:
    """Group domain event handlers by event; `declared` tells the failures that an event class declares."""
    grouped: dict[type, list[DomainHandler]] = {}
    for handler in handlers:
        grouped.setdefault(handler.event, []).append(handler)
    return {event: Reaction(tuple(group), members_of(declared(event))) for event, group in grouped.items()}


def deliveries_of(
    subscriptions: Iterable[Subscription[Any]],
    known: dict[object, Signature] | None = None,
) -> dict[Subscription[Any], dict[type, Signature]]:
    """Read the types of subscription handlers, but for those that are `known`; what is read is added to them."""
    return {
        subscription: {handler.event: _read(handler, known) for handler in subscription.handlers}
        for subscription in subscriptions
    }


def after_commits_of(handlers: Iterable[AfterCommit]) -> Mapping[type, tuple[AfterCommit, ...]]:
    """Group after-commit handlers by event, in the order of their registration."""
    grouped: dict[type, tuple[AfterCommit, ...]] = {}
    for handler in handlers:
        grouped[handler.event] = (*grouped.get(handler.event, ()), handler)
    return MappingProxyType(grouped)


def due_commands_of(entries: Mapping[object, Entry]) -> Mapping[type, Entry]:
    """Return the commands that can be sent later, by their class: those with a stored identity."""
    return {
        entry.signature.message: entry
        for entry in entries.values()
        if isinstance(entry.signature.message, type) and stored_identity(entry.signature.message) is not None
    }


def due_reaction(context: str, identity: str) -> str:
    """Return the reaction under which a due command stands in the agenda: it outlives the names of its code."""
    return f"{context}/{identity}"


def _read(handler: Any, known: dict[object, Signature] | None) -> Signature:
    if known is not None and handler in known:
        return known[handler]
    signature: Signature | Fault = handler.signature()
    if isinstance(signature, Fault):
        raise ConfigurationError(f"handler {handler.name!r}", (signature,))
    if known is not None:
        known[handler] = signature
    return signature
