"""What is wrong with the after-commit handlers, the queues and the due commands of a context, found when it is built.

Pure functions over what a context has recorded. Runs no handler.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from effect_runtime.dispatch._after_commit import AfterCommit
from effect_runtime.dispatch._context import Context
from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._signature import Signature, message_faults, name_of, runtime_faults
from effect_runtime.errors import Code, Fault
from effect_runtime.integration import fits_key, hints, stored_faults, stored_identity


def after_commit_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    """Find everything that is wrong with what a context leaves for later."""
    for handler in context.after_commits:
        yield from _handler_faults(context, handler)
    yield from _title_faults(context)
    yield from _queue_faults(context)
    yield from stored_faults((*_journalled(context), *_sendable(context)))


def _handler_faults(context: Context[Any, Any], handler: AfterCommit) -> Iterator[Fault]:
    signature = handler.signature()
    if isinstance(signature, Fault):
        yield signature
        return
    yield from runtime_faults(handler.function, signature, context.runtime_type)
    yield from message_faults(handler.event, handler.function, signature)
    if handler.key is not None:
        yield from _key_faults(handler, handler.key)


def _key_faults(handler: AfterCommit, key: str) -> Iterator[Fault]:
    event = handler.event.__qualname__
    try:
        fields = hints(handler.event) if attrs.has(handler.event) else {}
    except Exception:  # whatever evaluating a user's annotation raises; a stored class reports it as its own fault
        return
    if key not in fields:
        problem = f"its key {key!r} is no field of {event} ({', '.join(fields) or 'it has none'})."
    elif not fits_key(fields[key]):
        problem = f"its key {key!r} of {event} is {name_of(fields[key])}."
    else:
        return
    yield Fault(
        Code.ER116,
        place=handler.place,
        problem=problem,
        fix="Name a field that holds text, a whole number, a UUID, a date, an enum or a typed id, and is never None.",
    )


def _title_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    first: dict[str, AfterCommit] = {}
    for handler in context.after_commits:
        known = first.setdefault(handler.title, handler)
        if known is not handler:
            yield Fault(
                Code.ER117,
                place=handler.place,
                problem=f"the title {handler.title!r}, which is stored with its events, is taken by {known.place}.",
                fix="Rename the function, or give it an id= of its own.",
            )


def _queue_faults(context: Context[Any, Any]) -> Iterator[Fault]:
    first: dict[str, EventQueue] = {}
    for handler in context.after_commits:
        # By value: a module that is loaded again defines the same queue a second time, which harms nobody.
        if first.setdefault(handler.queue.name, handler.queue) != handler.queue:
            yield Fault(
                Code.ER118,
                place=handler.place,
                problem=f"another queue of {context.name!r} is named {handler.queue.name!r}, with other settings.",
                fix="Define each queue once and share it, or give each a name of its own.",
            )


def _journalled(context: Context[Any, Any]) -> Iterator[type]:
    """Yield the events that durable queues write into the store."""
    yield from (handler.event for handler in context.after_commits if handler.queue.durable)


def _sendable(context: Context[Any, Any]) -> Iterator[type]:
    """Yield the commands that can be sent later: those with a stored identity."""
    for command in context.commands:
        signature = command.signature()
        message = signature.message if isinstance(signature, Signature) else None
        if isinstance(message, type) and stored_identity(message) is not None:
            yield message
