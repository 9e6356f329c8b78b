"""What a commit writes beside the user's rows: audit line, envelopes, agenda, answer. Builds values; writes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from effect_runtime.dispatch._drain import refuse_stranger
from effect_runtime.dispatch._home import Home
from effect_runtime.dispatch._items import Reactions, reactions_of_events
from effect_runtime.dispatch._ports import Answer, AuditEntry
from effect_runtime.dispatch._refused import CommandIdReused, Invalid, Refused
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.dispatch._unit import Unit
from effect_runtime.errors import CommandNotDone
from effect_runtime.events import DomainEvent, Enqueued
from effect_runtime.integration import Envelope, decode_value, encode_value, make_envelope


def audit_entry(
    home: Home, request: MessageContext, *, command: str, command_id: str, outcome: str, at: datetime
) -> AuditEntry:
    """Say who asked for what, when, and what came of it."""
    return AuditEntry(
        at=at,
        context=home.name,
        command=command,
        command_id=command_id,
        principal=request.principal.id,
        outcome=outcome,
        correlation=request.correlation,
    )


def outcome_of(refusal: Refused) -> str:
    """Name a refusal for the audit."""
    if isinstance(refusal, Invalid):
        return f"invalid: {', '.join(wrong.field for wrong in refusal.fields)}"
    return f"forbidden: {refusal.reason}"


def envelopes_of(unit: Unit, *, causation: str, at: datetime) -> tuple[Envelope, ...]:
    """Put an envelope around each integration event that the unit collected."""
    home, request = unit.home, unit.request
    envelopes = []
    for event in unit.outbox:
        envelopes.append(
            make_envelope(
                event,
                id=str(home.host.entropy.uuid()),
                source=home.source,
                time=at,
                correlation=request.correlation,
                causation=causation,
                traceparent=request.traceparent,
                tracestate=request.tracestate,
                tenant=request.tenant or home.tenant,
            )
        )
    return tuple(envelopes)


def reactions_to(unit: Unit, *, causation: str, at: datetime) -> Reactions:
    """Make an item for each after-commit handler of each event that the unit emitted or enqueued.

    Raises `errors.Unserializable` for an event that does not hold what its annotations say.
    """
    home, heard = unit.home, list[DomainEvent[Any]]()
    for each in unit.events:
        event = each.event if isinstance(each, Enqueued) else each
        if type(event) in home.after_commits:
            heard.append(event)
        elif event is not each:  # The drain has looked at those that were emitted.
            refuse_stranger(home, type(event))
    return reactions_of_events(home, unit.request, heard, causation=causation, at=at)


def answer_of(command_id: str, fingerprint: bytes, value: Any, kind: Any) -> Answer:
    """Encode a success under its command id."""
    return Answer(command_id=command_id, fingerprint=fingerprint, body=encode_value(value, kind))


def recall(answer: Answer, *, command: str, fingerprint: bytes, kind: Any) -> Any:
    """Return the success that an answer holds, unless it answers something else."""
    if answer.fingerprint != fingerprint:
        raise CommandNotDone(command, CommandIdReused(answer.command_id))
    return decode_value(answer.body, kind)
