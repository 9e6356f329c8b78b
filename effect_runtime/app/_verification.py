"""What is wrong with an application: the faults of its contexts, and those between them, all at once.

Pure, except that it imports the modules that contexts name. Opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

from typing_extensions import is_protocol

from effect_runtime.dispatch import (
    Binding,
    Context,
    Signature,
    Subscription,
    context_faults,
    foreign_faults,
    import_modules,
)
from effect_runtime.errors import Code, Fault
from effect_runtime.integration import Topic, registry_faults, topic_name


def app_faults(
    name: str,
    bindings: Sequence[Binding],
    *,
    has_wire: bool,
    transport: object,
    profile: str,
    foreign: Sequence[type[Topic]],
) -> tuple[Fault, ...]:
    """Find everything that is wrong with an application and its contexts."""
    unbound = tuple(_unbound_faults(name, bindings))
    # Alone: of something that is no binding nothing else can be asked.
    if unbound:
        return unbound
    contexts: tuple[Context[Any, Any], ...] = tuple(dict.fromkeys(binding.context for binding in bindings))
    # First of all: only what is imported has registered its handlers, and may be judged.
    faults = [fault for context in contexts for fault in import_modules(context)]
    topics = [
        *(topic for context in contexts for topic in context.publishes),
        *(subscription.topic for context in contexts for subscription in context.subscriptions),
    ]
    faults.extend(fault for context in contexts for fault in context_faults(context))
    faults.extend(registry_faults(topics))
    faults.extend(foreign_faults(contexts))
    faults.extend(_name_faults(name, bindings))
    faults.extend(fault for binding in bindings for fault in _reads_faults(binding))
    faults.extend(fault for binding in bindings for fault in _make_faults(binding))
    faults.extend(_owner_faults(contexts))
    faults.extend(_subscription_faults(contexts, foreign))
    faults.extend(_transport_faults(name, contexts, has_wire=has_wire, transport=transport, profile=profile))
    return tuple(faults)


def _unbound_faults(name: str, bindings: Sequence[object]) -> Iterator[Fault]:
    for binding in bindings:
        if not isinstance(binding, Binding):
            called = getattr(binding, "name", "context")
            yield Fault(
                Code.ER406,
                place=f"app {name!r}",
                problem=f"{binding!r} has no store.",
                fix=f"Bind it: contexts=[{called}.bind(make_{called}, store=...)].",
            )
        elif isinstance(binding.store, type) or not hasattr(binding.store, "opened"):
            kind = binding.store if isinstance(binding.store, type) else type(binding.store)
            yield Fault(
                Code.ER407,
                place=binding.context.place,
                problem=f"context {binding.name!r} is bound to {binding.store!r}, which cannot be opened.",
                fix=f"Give a store: store={kind.__name__}(...)."
                if hasattr(kind, "opened")
                else 'Give a store: store=SqliteStore("lending.db"), or MemoryStore() in tests.',
            )


def _reads_faults(binding: Binding) -> Iterator[Fault]:
    """Find queries whose runtime nobody makes."""
    if binding.make_reads is not None or binding.context.reads_type is None:
        return  # Made; or not even named, which is a fault of the context's own.
    for query in binding.context.queries:
        signature = query.signature()
        if isinstance(signature, Signature) and signature.runtime not in (object, Any):
            yield Fault(
                Code.ER104,
                place=query.place,
                problem=f"it is a query, and the binding of context {binding.name!r} makes no runtime for queries.",
                fix=f"Pass a second function: {binding.name}.bind(make, make_reads, store=...).",
            )


def _name_faults(name: str, bindings: Sequence[Binding]) -> Iterator[Fault]:
    first: dict[str, Binding] = {}
    for binding in bindings:
        known = first.get(binding.name)
        if known is None:
            first[binding.name] = binding
            continue
        same = known.context is binding.context
        problem = "is bound twice" if same else f"shares its name with the context at {known.context.place}"
        yield Fault(
            Code.ER403,
            place=binding.context.place,
            problem=f"context {binding.name!r} {problem} in app {name!r}.",
            fix="Bind each context once, and give each a name of its own.",
        )


def _make_faults(binding: Binding) -> Iterator[Fault]:
    """Compare what the functions of a binding say that they make with what its context runs with, where both say."""
    context = binding.context
    for make, wanted in ((binding.make, context.runtime_type), (binding.make_reads, context.reads_type)):
        made = _made_by(make)
        if made is None or not isinstance(wanted, type) or is_protocol(wanted) or issubclass(made, wanted):
            continue
        yield Fault(
            Code.ER104,
            place=context.place,
            problem=f"{getattr(make, '__name__', make)} makes {made.__name__}, "
            f"but context {context.name!r} runs with {wanted.__name__}.",
            fix=f"Bind it with a function that makes {wanted.__name__}.",
        )


def _made_by(make: Any) -> type | None:
    """Return the class that a function is annotated to return, or None when it does not say, or names a protocol."""
    try:
        made = get_type_hints(make).get("return")
    except Exception:  # a partial, a callable object, a name for the checkers alone: they compare the types
        return None
    if made in (Any, object) or not isinstance(made, type) or is_protocol(made):
        return None
    return made


def _owner_faults(contexts: Sequence[Context[Any, Any]]) -> Iterator[Fault]:
    # One owner for a topic: the numbers of a key are counted in one store, and two counts make no order.
    owners: dict[type[Topic], Context[Any, Any]] = {}
    for context in contexts:
        for topic in context.publishes:
            known = owners.setdefault(topic, context)
            if known is not context:
                yield Fault(
                    Code.ER210,
                    place=context.place,
                    problem=f"{topic.__name__} is published by context {known.name!r} and by {context.name!r}.",
                    fix="Let one context own the topic; the other publishes a topic of its own.",
                )


def _subscription_faults(contexts: Sequence[Context[Any, Any]], foreign: Sequence[type[Topic]]) -> Iterator[Fault]:
    published = {topic for context in contexts for topic in context.publishes}
    first: dict[str, Subscription[Any]] = {}
    for context in contexts:
        for subscription in context.subscriptions:
            if subscription.topic not in published and subscription.topic not in foreign:
                yield Fault(
                    Code.ER302,
                    place=subscription.place,
                    problem=f"{subscription.id!r} subscribes to {subscription.topic.__name__}, "
                    "which no context of the app publishes.",
                    fix="Add its context to the app, or name the topic in foreign_topics=[...] if another app owns it.",
                )
            known = first.setdefault(subscription.id, subscription)
            if known is not subscription:
                yield Fault(
                    Code.ER304,
                    place=subscription.place,
                    problem=f"the id {subscription.id!r} is taken by the subscription at {known.place}.",
                    fix="Give each subscription an id of its own; ids are stored, so change the newer one.",
                )


def _transport_faults(
    name: str, contexts: Sequence[Context[Any, Any]], *, has_wire: bool, transport: object, profile: str
) -> Iterator[Fault]:
    durable = transport == "outbox" or getattr(transport, "durable", False)
    if profile == "production" and not durable:
        yield Fault(
            Code.ER401,
            place=f"app {name!r}",
            problem="events that are sent after the commit with nothing durable behind them die with the process.",
            fix='Leave transport="outbox", or use another profile than "production".',
        )
    if has_wire or transport not in ("outbox", "immediate"):
        return
    for context in contexts:
        for topic in context.publishes:
            yield Fault(
                Code.ER405,
                place=context.place,
                problem=f"nothing carries {topic_name(topic)!r}, which context {context.name!r} publishes.",
                fix=f"Give the app a wire: App({name!r}, wire=InProcess(), ...).",
            )
        for subscription in context.subscriptions:
            yield Fault(
                Code.ER405,
                place=subscription.place,
                problem=f"nothing brings {subscription.topic.__name__} to subscription {subscription.id!r}.",
                fix=f"Give the app a wire: App({name!r}, wire=InProcess(), ...).",
            )
