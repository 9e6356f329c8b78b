"""What is wrong with a context, found all at once when an application is built.

Pure functions over what contexts have recorded. Knows no application; runs no handler and opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin, get_type_hints

from effect_runtime.dispatch._after_commit_faults import after_commit_faults
from effect_runtime.dispatch._context import Context
from effect_runtime.dispatch._handlers import Command, DomainHandler, Query
from effect_runtime.dispatch._signature import (
    Signature,
    covers,
    members_of,
    message_faults,
    name_of,
    place_of,
    runtime_faults,
)
from effect_runtime.dispatch._subscription import Subscription, SubscriptionHandler
from effect_runtime.errors import Code, Fault
from effect_runtime.events import declared_failures
from effect_runtime.integration import Outbox, Topic, storable


def context_faults(context: Context[Any, Any]) -> tuple[Fault, ...]:
    """Find everything that is wrong with one context by itself."""
    return (
        *_handler_faults(context.commands, context.runtime_type),
        *_handler_faults(context.queries, context.reads_type or object),
        *_twice_faults((*context.commands, *context.queries)),
        *_domain_faults(context),
        *after_commit_faults(context),
        *_subscription_faults(context),
        *_outbox_faults(context),
    )


def _handler_faults(
    handlers: Iterable[Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]], runtime: type
) -> Iterator[Fault]:
    for handler in handlers:
        signature = handler.signature()
        if isinstance(signature, Fault):
            yield signature
            continue
        yield from runtime_faults(handler.function, signature, runtime)
        # A query's answer is never stored, so it may be anything.
        reason = storable(signature.answer) if isinstance(handler, Command) else None
        if reason is not None:
            yield Fault(
                Code.ER109,
                place=handler.place,
                problem=f"its answer cannot be remembered under a command id: {reason}.",
                fix="Answer with ids, scalars, tuples, or frozen attrs classes of those.",
            )


def _twice_faults(handlers: Iterable[Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]]) -> Iterator[Fault]:
    first: dict[Any, Any] = {}
    for handler in handlers:
        signature = handler.signature()
        if isinstance(signature, Fault):
            continue
        known = first.setdefault(signature.message, handler)
        if known is not handler:
            yield Fault(
                Code.ER106,
                place=handler.place,
                problem=f"{name_of(signature.message)} is handled by {known.name} already ({known.place}).",
                fix="Keep one of the two, or give each a message class of its own.",
            )


def _domain_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    for handler in context.handlers:
        signature = handler.signature()
        if isinstance(signature, Fault):
            yield signature
            continue
        yield from runtime_faults(handler.function, signature, context.runtime_type)
        yield from message_faults(handler.event, handler.function, signature)
        yield from _veto_faults(handler, signature)


def _veto_faults(handler: DomainHandler, signature: Signature) -> Iterator[Fault]:
    declared = members_of(declared_failures(handler.event))
    if signature.failures is None or declared is None:
        return
    more = [name_of(failure) for failure in signature.failures if not covers(declared, failure)]
    if more:
        event = handler.event.__qualname__
        yield Fault(
            Code.ER112,
            place=handler.place,
            problem=f"it may fail with {', '.join(more)}, which {event} does not declare.",
            fix=f"Write `class {event}(DomainEvent[{' | '.join(more)}])`, or handle the failure in the handler.",
        )


def _subscription_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    for subscription in context.subscriptions:
        if subscription.topic in context.publishes:
            yield Fault(
                Code.ER301,
                place=subscription.place,
                problem=f"{subscription.id!r} subscribes to {subscription.topic.__name__}, which {context.name!r} "
                "publishes itself.",
                fix=f"Inside one context use a domain event and @{context.name}.on, or move the handler elsewhere.",
            )
        for handler in subscription.handlers:
            yield from _delivery_faults(context, subscription, handler)
        yield from _twice_on_one_event(subscription)


def _delivery_faults(
    context: Context[Any, Any], subscription: Subscription[Any], handler: SubscriptionHandler
) -> Iterator[Fault]:
    if not issubclass(handler.event, subscription.topic):
        yield Fault(
            Code.ER306,
            place=handler.place,
            problem=f"{name_of(handler.event)} is no event of {subscription.topic.__name__}.",
            fix=f"Subscribe to its own topic too, or handle an event of {subscription.topic.__name__}.",
        )
    signature = handler.signature()
    if isinstance(signature, Fault):
        yield signature
        return
    yield from runtime_faults(handler.function, signature, context.runtime_type)
    yield from message_faults(handler.event, handler.function, signature)
    if signature.failures is None:
        unmapped = ["Any"]
    else:
        unmapped = [name_of(failure) for failure in signature.failures if not covers(handler.mapped, failure)]
    if unmapped:
        yield Fault(
            Code.ER303,
            place=handler.place,
            problem=f"nothing says what {', '.join(unmapped)} means for delivery.",
            fix="Map each failure: `.on(Event, ignore=(X,), retry=(Y,), dead_letter=(Z,))`.",
        )


def _twice_on_one_event(subscription: Subscription[Any]) -> Iterator[Fault]:
    first: dict[type, SubscriptionHandler] = {}
    for handler in subscription.handlers:
        known = first.setdefault(handler.event, handler)
        if known is not handler:
            yield Fault(
                Code.ER305,
                place=handler.place,
                problem=f"{subscription.id!r} handles {name_of(handler.event)} in {known.name} already.",
                fix="Do both in one handler, or subscribe a second time with an id of its own.",
            )


def _outbox_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    """Find topics that the runtime may publish and the context does not own."""
    try:
        hints = get_type_hints(context.runtime_type)
    except Exception:  # whatever evaluating a user's annotation raises; handlers report what cannot be resolved
        return
    for field, kind in hints.items():
        if get_origin(kind) is not Outbox:
            continue
        for topic in members_of(get_args(kind)[0]) or ():
            if isinstance(topic, type) and issubclass(topic, Topic) and not issubclass(topic, context.publishes):
                yield Fault(
                    Code.ER209,
                    place=place_of(context.runtime_type),
                    problem=f"its field {field!r} publishes {topic.__name__}, which {context.name!r} does not own.",
                    fix=f"Add it to publishes=[...] of Context({context.name!r}), or publish it from its owner.",
                )
