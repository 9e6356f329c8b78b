"""Strategies of what a context takes and says: its commands and queries, the events of a topic, values of any type.

Knows handlers by what they are annotated with; runs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from effect_runtime.app import App
from effect_runtime.dispatch import Command, Context, Query, Signature
from effect_runtime.effect import Call, Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.integration import Topic, event_identity, topic_events
from effect_runtime.testing.properties._constraints import Constraints
from effect_runtime.testing.properties._derivation import Derivation, name_of

Handler: TypeAlias = Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]

Pools: TypeAlias = Mapping[Any, Sequence[Any]]
"""The values that each type of id has in a test: few, so that what is drawn meets."""

Overrides: TypeAlias = Mapping[Any, SearchStrategy[Any]]
"""Strategies for what does not follow: keyed by a field (`BorrowBook.days`, or `(BorrowBook, "days")`) or a type."""

KEYED: Final = Constraints(shortest=1, matches=(re.compile(r"[^\x00-\x1f\x7f-\x9f]+").fullmatch,))
"""What is asked of the field that orders events: a key is not empty and holds no control character."""


Source: TypeAlias = App | Context[Any, Any] | Iterable[Handler]
"""Who handles messages: an application, a context, or some handlers."""


def commands_of(
    source: Source, *, pools: Pools | None = None, overrides: Overrides | None = None
) -> SearchStrategy[Any]:
    """Return a strategy of the commands of a context or an application, or of what some handlers take.

    Fields follow from their annotations, validators, converters and defaults. Ids, which are `NewType`s and value
    classes of one text, number or UUID, come from a pool of three for each type, shared by all commands, unless
    `pools` names others; those that a validator narrows come from elsewhere, too. Raises `errors.NoStrategy` with the
    class and field that say too little.
    """
    derivation = Derivation(pools or {}, overrides or {})
    handlers = [each for each in handlers_of(source) if isinstance(each, Command) or not _is_whole(source)]
    if not handlers:
        reason = "it has no command; import the modules of its handlers, or give an App, which does"
        raise NotSimulated(f"commands of {_title(source)}", reason=reason)
    return st.one_of([message_of(handler, derivation) for handler in handlers])


def handlers_of(source: Source) -> list[Handler]:
    """Return every handler of commands and queries; an application is built for it, which imports its modules."""
    if isinstance(source, App):
        source.build()
        return [each for binding in source.bindings for each in handlers_of(binding.context)]
    return [*source.commands, *source.queries] if isinstance(source, Context) else list(source)


def handler_of(source: Source, message: Any) -> Handler:
    """Return who handles a message; raises `errors.NotSimulated` when nobody does."""
    known = {signature_of(handler).message: handler for handler in handlers_of(source)}
    if type(message) not in known:
        names = ", ".join(sorted(name_of(kind) for kind in known))
        raise NotSimulated(f"sending {message!r}", reason=f"nobody handles it; there are {names}")
    return known[type(message)]


def asked(effect: Eff[Any, Any, Any]) -> str:
    """Return how a dispatched message is written, or whatever else a program calls itself."""
    name = getattr(effect.handler, "name", None) if isinstance(effect, Call) else None
    return repr(effect) if name is None or not isinstance(effect, Call) else f"{name}({effect.message!r})"


def _is_whole(source: Source) -> bool:
    return isinstance(source, App | Context)


def _title(source: Source) -> str:
    return f"{source.name!r}" if isinstance(source, App | Context) else "no handlers"


def events_of(
    topic: type[Topic], *, pools: Pools | None = None, overrides: Overrides | None = None
) -> SearchStrategy[Any]:
    """Return a strategy of the events of a topic, or of one event class; everything else as `commands_of`."""
    derivation = Derivation(pools or {}, overrides or {})
    return st.one_of([event_of(event, derivation) for event in events_in(topic) or (topic,)])


def events_in(topic: type[Topic]) -> tuple[type[Topic], ...]:
    """Return the events of a topic, or an event class itself."""
    events = topic_events(topic)
    return (topic,) if topic in events else events


def values_of(kind: Any, *, pools: Pools | None = None, overrides: Overrides | None = None) -> SearchStrategy[Any]:
    """Return a strategy of the values of any annotation; everything else as `commands_of`."""
    return Derivation(pools or {}, overrides or {}).of(kind)


def message_of(handler: Handler, derivation: Derivation) -> SearchStrategy[Any]:
    """Return a strategy of what a handler takes."""
    kind = signature_of(handler).message
    return derivation.record(kind) if attrs.has(kind) else derivation.of(kind, place=handler.title)


def event_of(event: type[Topic], derivation: Derivation) -> SearchStrategy[Any]:
    """Return a strategy of one event class, whose key is never empty."""
    key = event_identity(event).key
    return derivation.record(event, {} if key is None else {key: KEYED})


def signature_of(handler: Handler) -> Signature:
    """Return a handler's types; annotations that cannot be read raise their fault."""
    found = handler.signature()
    if isinstance(found, Signature):
        return found
    raise found
