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

from effect_runtime.dispatch import Command, Context, Query, Signature
from effect_runtime.integration import Topic, event_identity, topic_events
from effect_runtime.testing.properties._constraints import Constraints
from effect_runtime.testing.properties._derivation import Derivation

Handler: TypeAlias = Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]

Pools: TypeAlias = Mapping[Any, Sequence[Any]]
"""The values that each type of id has in a test: few, so that what is drawn meets."""

Overrides: TypeAlias = Mapping[Any, SearchStrategy[Any]]
"""Strategies for what does not follow: keyed by a field (`BorrowBook.days`, or `(BorrowBook, "days")`) or a type."""

KEYED: Final = Constraints(shortest=1, matches=(re.compile(r"[^\x00-\x1f\x7f-\x9f]+").fullmatch,))
"""What is asked of the field that orders events: a key is not empty and holds no control character."""


def commands_of(
    source: Context[Any, Any] | Iterable[Handler], *, pools: Pools | None = None, overrides: Overrides | None = None
) -> SearchStrategy[Any]:
    """Return a strategy of the commands of a context, or of what some handlers take.

    Fields follow from their annotations, validators, converters and defaults. Ids, which are `NewType`s and value
    classes of one text, number or UUID, come from a pool of three for each type, shared by all commands, unless
    `pools` names others; those that a validator narrows come from elsewhere, too. Raises `errors.NoStrategy` with the
    class and field that say too little.
    """
    derivation = Derivation(pools or {}, overrides or {})
    handlers = source.commands if isinstance(source, Context) else source
    return st.one_of([message_of(handler, derivation) for handler in handlers])


def events_of(
    topic: type[Topic], *, pools: Pools | None = None, overrides: Overrides | None = None
) -> SearchStrategy[Any]:
    """Return a strategy of the events of a topic, or of one event class; everything else as `commands_of`."""
    derivation = Derivation(pools or {}, overrides or {})
    return st.one_of([event_of(event, derivation) for event in topic_events(topic) or (topic,)])


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
