"""What a dead letter was for: a subscription, an after-commit handler or a due command, seen in one way.

Knows how its message is read, shown without secrets, and given to its handler again. Knows no store.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

from attrs import evolve, frozen

from effect_runtime.dispatch import (
    AfterCommit,
    Command,
    Context,
    Dispatcher,
    MessageContext,
    Principal,
    Signature,
    Subscription,
    Verdict,
    VolatileItem,
)
from effect_runtime.effect import Call, Died, Exit, Failed, Raised, Succeeded
from effect_runtime.errors import UndecodableMessage
from effect_runtime.integration import (
    Envelope,
    EventRegistry,
    FieldErrors,
    Secrets,
    StoredRegistry,
    WireIdentity,
    decode_event,
    encode_fields,
    event_identity,
    stored_identity,
    structure_all,
    uncovered,
)


@frozen(kw_only=True)
class Addressee:
    """Whoever takes the messages of one destination.

    `kind` answers the class and identity of a type on the wire; `decode` reads an envelope, `give` hands a message to
    the handler in a unit of its own, `verdict` maps a declared failure.
    """

    name: Callable[[Any], str]
    kind: Callable[[str], tuple[type, WireIdentity] | None]
    decode: Callable[[Envelope], Any]
    give: Callable[[Dispatcher, Any, Envelope], Awaitable[Exit[Any, Any]]]
    verdict: Callable[[Any, object], Verdict]

    def read(self, envelope: Envelope) -> Any:
        """Read the message; where secrets are covered, blanks of their types stand for them."""
        known = self.kind(envelope.type)
        # Upcasters know nothing of covers: an older payload is read as it is, or not at all.
        if known is None or known[1].version != envelope.version:
            return self.decode(envelope)
        message = structure_all(known[0], uncovered(json.loads(envelope.data), known[0]))
        if isinstance(message, FieldErrors):
            return self.decode(envelope)  # which says what is wrong with it
        return message

    def shown(self, envelope: Envelope, secrets: Secrets) -> Envelope:
        """Return the envelope with secrets covered, in the current version of its message where that can be read."""
        known = self.kind(envelope.type)
        if known is None:
            return envelope
        kind, wire = known
        try:
            message = self.decode(envelope)
        except UndecodableMessage:  # covered by the names of its fields, as far as they are still the same
            return evolve(envelope, data=_spelled(secrets.covered(json.loads(envelope.data), kind)))
        form = secrets.covered(json.loads(encode_fields(message)), kind)
        return evolve(envelope, type=wire.name, version=wire.version, data=_spelled(form))


def addressee_of(context: Context[Any, Any], destination: str) -> Addressee | None:
    """Return what takes the messages of a destination in a context."""
    for subscription in context.subscriptions:
        if subscription.id == destination:
            return _subscriber(subscription)
    for handler in context.after_commits:
        if handler.title == destination:
            return _reaction(handler)
    for command, message, wire in _due_commands(context):
        if destination in (f"{context.name}/{name}" for name in wire.names):
            return _due(command, message)
    return None


def _subscriber(subscription: Subscription[Any]) -> Addressee:
    registry = EventRegistry((subscription.topic,))

    def kind(name: str) -> tuple[type, WireIdentity] | None:
        event = registry.event(name)
        return None if event is None else (event, event_identity(event))

    def named(message: Any) -> str:
        handler = subscription.handler_of(type(message))
        return subscription.id if handler is None else handler.name

    def verdict(message: Any, failure: object) -> Verdict:
        handler = subscription.handler_of(type(message))
        return "retry" if handler is None else handler.verdict(failure)

    async def give(dispatcher: Dispatcher, message: Any, envelope: Envelope) -> Exit[Any, Any]:
        return await dispatcher.deliver(subscription, message, envelope, admit=_admitted)

    decode = partial(_decoded, registry)
    return Addressee(name=named, kind=kind, decode=decode, give=give, verdict=verdict)


def _decoded(registry: EventRegistry, envelope: Envelope) -> Any:
    return decode_event(envelope, registry)


def _reaction(handler: AfterCommit) -> Addressee:
    async def give(dispatcher: Dispatcher, message: Any, envelope: Envelope) -> Exit[Any, Any]:
        return await dispatcher.react(handler, VolatileItem(reaction=handler.title, event=message, envelope=envelope))

    return Addressee(
        name=lambda _: handler.name,
        kind=partial(_stored_kind, (handler.event,)),
        decode=StoredRegistry((handler.event,)).decode,
        give=give,
        verdict=lambda _, failure: handler.verdict(failure),
    )


def _due(command: Command[Any, Any, Any, Any], kind: type) -> Addressee:
    async def give(dispatcher: Dispatcher, message: Any, envelope: Envelope) -> Exit[Any, Any]:
        request = MessageContext(
            correlation=envelope.correlation,
            causation=envelope.causation,
            principal=Principal.system(command.title),
            command_id=envelope.id,
            traceparent=envelope.traceparent,
            tracestate=envelope.tracestate,
            tenant=envelope.tenant,
        )
        try:
            return Succeeded(await dispatcher.answer(Call(command, message, title=command.name), request))
        except Raised as raised:
            return Failed(raised.error)
        except Exception as defect:
            return Died(defect)

    return Addressee(
        name=lambda _: command.name,
        kind=partial(_stored_kind, (kind,)),
        decode=StoredRegistry((kind,)).decode,
        give=give,
        verdict=lambda _, __: "dead_letter",
    )


def _stored_kind(kinds: Iterable[type], name: str) -> tuple[type, WireIdentity] | None:
    for kind in kinds:
        wire = stored_identity(kind)
        if wire is not None and name in wire.names:
            return kind, wire
    return None


def _due_commands(context: Context[Any, Any]) -> Iterator[tuple[Command[Any, Any, Any, Any], type, WireIdentity]]:
    for command in context.commands:
        signature = command.signature()
        message = signature.message if isinstance(signature, Signature) else None
        wire = stored_identity(message) if isinstance(message, type) else None
        if isinstance(message, type) and wire is not None:
            yield command, message, wire


async def _admitted(unit: Any) -> bool:
    return True


def _spelled(form: Any) -> bytes:
    return json.dumps(form, ensure_ascii=False).encode()
