"""The next version of an application on the ground of this one: what it must have, and how clients reach its handlers.

Clients hold messages for the handlers of this version; in a life of the next each goes to the handler of its context
and name. Knows descriptions and calls; nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import NOTHING, Attribute, fields, has

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Signature
from effect_runtime.effect import Call, Operation
from effect_runtime.errors import NotSimulated
from effect_runtime.interpreter import Interceptor, Perform

Heirs: TypeAlias = Mapping[object, Any]
"""For each handler of this version the one that takes its place."""


def check_upgrade(present: App, following: App) -> None:
    """Refuse a next version that lacks something of this one: all that is missing at once."""
    following.build()
    problems = [*_ground_problems(present.bindings, following.bindings), *_handler_problems(present, following)]
    if problems:
        reason = "; ".join(problems)
        raise NotSimulated(f"the upgrade of app {present.name!r} to {following.name!r}", reason=reason)


def heirs_of(present: App, following: App) -> Heirs:
    """Return who takes the place of each handler."""
    known = {(_kind(each), each.title): each for each in _handlers(following.bindings)}
    return {each: known[_kind(each), each.title] for each in _handlers(present.bindings)}


def readdressed(heirs: Heirs) -> Interceptor:
    """Return an interceptor that hands the messages of this version's clients to the next one's handlers."""

    def intercept(perform: Perform) -> Perform:
        async def handed_on(operation: Operation, runtime: Any) -> Any:
            heir = heirs.get(operation.handler) if isinstance(operation, Call) else None
            if heir is not None:
                assert isinstance(operation, Call)
                operation = Call(heir, _message(operation.message, heir), title=heir.name)
            return await perform(operation, runtime)

        return handed_on

    return intercept


def _message(message: Any, heir: Any) -> Any:
    """Say a message in the words of who takes it now: its fields keep their names."""
    kind = _message_type(heir)
    if kind is type(message) or not isinstance(kind, type) or not has(kind) or not has(type(message)):
        return message
    known = {each.name: getattr(message, each.name) for each in fields(type(message))}
    return kind(**{each.alias or each.name: known[each.name] for each in _taken(kind) if each.name in known})


def _ground_problems(present: Sequence[Binding], following: Sequence[Binding]) -> Iterator[str]:
    named = {binding.name: binding for binding in following}
    for name in (binding.name for binding in present if binding.name not in named):
        yield f"context {name!r} is missing; bind it in the next version, too"
    for name in sorted(named.keys() - {binding.name for binding in present}):
        yield f"context {name!r} is new and no process runs it; bind it in this version, too"
    for binding in present:
        if binding.name in named and not _is_kept_alike(binding.store, named[binding.name].store):
            yield (
                f"context {binding.name!r} moves from {type(binding.store).__name__} to "
                f"{type(named[binding.name].store).__name__}; let it keep its kind of store"
            )
    if _sharing(present) != _sharing(following) and all(binding.name in named for binding in present):
        yield "other contexts share a store than before; let those share one that did"


def _is_kept_alike(store: object, other: object) -> bool:
    # A store around another one is told by what it can do: be put on a medium.
    return hasattr(store, "on") == hasattr(other, "on") and (hasattr(store, "on") or type(store) is type(other))


def _sharing(bindings: Sequence[Binding]) -> set[frozenset[str]]:
    shared: dict[int, set[str]] = {}
    for binding in bindings:
        shared.setdefault(id(binding.store), set()).add(binding.name)
    return {frozenset(names) for names in shared.values()}


def _handler_problems(present: App, following: App) -> Iterator[str]:
    known = {(_kind(each), each.title): each for each in _handlers(following.bindings)}
    contexts = {binding.name for binding in following.bindings}
    for handler in _handlers(present.bindings):
        kind = _kind(handler)
        heir = known.get((kind, handler.title))
        if handler.context not in contexts:
            continue  # said already, once
        if heir is None:
            yield f"{kind} {handler.title} ({handler.place}) is missing; keep a handler of that name"
        elif handler.access != "internal" and not _fits(_message_type(handler), _message_type(heir)):
            yield (
                f"{kind} {handler.title} ({heir.place}) takes {_message_type(heir)!r}, which cannot be made from "
                f"{_message_type(handler)!r}; give new fields a default"
            )


def _fits(message: Any, other: Any) -> bool:
    if message is other or message == other:
        return True
    if not (isinstance(message, type) and isinstance(other, type) and has(message) and has(other)):
        return False
    known = {each.name for each in fields(message)}
    return all(each.name in known or each.default is not NOTHING for each in _taken(other))


def _taken(kind: type[Any]) -> list[Attribute[Any]]:
    return [each for each in fields(kind) if each.init]


def _message_type(handler: Any) -> Any:
    signature = handler.signature()
    return signature.message if isinstance(signature, Signature) else None


def _handlers(bindings: Sequence[Binding]) -> Iterator[Any]:
    for binding in bindings:
        yield from (*binding.context.commands, *binding.context.queries)


def _kind(handler: Any) -> str:
    return type(handler).__name__.lower()
