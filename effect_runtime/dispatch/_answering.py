"""One message in a unit of work of its own: a command from its judgement to its commit, or an event for a reaction.

Knows what a unit is carried out for; knows no door and no worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from effect_runtime.dispatch._attempts import Job, carry_out
from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._ledger import recall
from effect_runtime.dispatch._nesting import answer_nested
from effect_runtime.dispatch._ports import Answer, Ledger
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._refused import StoreUnavailable
from effect_runtime.dispatch._request import MessageContext, Principal
from effect_runtime.dispatch._unit import Unit
from effect_runtime.effect import Died, Eff, Failed, Raised, Succeeded
from effect_runtime.errors import CommandNotDone, StoreDown
from effect_runtime.integration import Envelope, fingerprint
from effect_runtime.interpreter import Recording

Admit: TypeAlias = Callable[[Any], Awaitable[bool]]
"""Decide in a unit's transaction, before anything else, whether it has something to do."""

Waits: TypeAlias = Callable[[], None]
"""Hear that a unit begins to wait for its transaction: until `admit` is asked, others are in its way."""


async def answer_command(
    home: Home,
    entry: Entry,
    message: Any,
    request: MessageContext,
    *,
    admit: Admit | None = None,
    waits: Waits | None = None,
    recording: Recording | None = None,
) -> tuple[Any, Job | None]:
    """Carry out one command and audit what was refused; return its value, and the job if there had to be one.

    A stored answer is the value; `admit` then runs in a unit by itself, because the work is done.
    """
    refusals = Refusals(home, request)
    try:
        value, job = await _answered(home, entry, message, request, refusals, admit, waits, recording)
        if admit is not None and (job is None or job.is_recalled):
            await _admitted(home, admit)
    # Not for a cancellation: an audit takes a transaction, and whoever cancels does not wait for one.
    except (Exception, Raised):
        await refusals.audited(entry.handler.title)
        raise
    await refusals.audited_beside(entry.handler.title)
    return value, job


async def _answered(
    home: Home,
    entry: Entry,
    message: Any,
    request: MessageContext,
    refusals: Refusals,
    admit: Admit | None,
    waits: Waits | None,
    recording: Recording | None,
) -> tuple[Any, Job | None]:
    handler = entry.handler
    # Judged before anything is read: whoever merely knows a command id must not learn its answer. For the same reason
    # a policy that reads runs in the unit, ahead of the stored answer and the claim.
    policy = refusals.judged(handler, message, nested=False)
    digest = None if request.command_id is None else fingerprint(handler.title, message)
    if digest is not None and policy is None:
        stored = await _stored(home, entry, request)
        if stored is not None:
            return recall(stored, command=handler.title, fingerprint=digest, kind=entry.signature.answer), None

    async def work(unit: Unit) -> Any:
        # This may be the second try: refusals of the one that was undone have not happened.
        refusals.clear()
        if recording is not None:
            unit.record(recording)
        if policy is not None:
            await refusals.authorise(policy, entry, interpreter=unit.interpreter, runtime=unit.runtime)
            if digest is not None:
                await unit.claimed(digest)
        return await unit.interpreter.interpret(handler.body(message), unit.runtime)

    job = Job(
        title=handler.title,
        name=handler.name,
        home=home,
        request=request,
        work=work,
        answer=entry.signature.answer,
        answer_call=partial(answer_nested, refusals=refusals),
        fingerprint=digest,
        claim_first=policy is None,
        admit=admit,
        waits=waits,
    )
    return await carry_out(job), job


async def answer_event(
    home: Home,
    title: str,
    program: Eff[Any, Any, Any] | None,
    request: MessageContext,
    *,
    admit: Admit | None,
    admit_late: bool = False,
    waits: Waits | None = None,
    recording: Recording | None,
) -> Succeeded[None] | Failed[Any] | Died:
    """Run what reacts to an event, if anything does, in a unit of its own, and return how it ended.

    `request.causation` is the event's id. Nothing is written when the answer is Failed or Died. `admit_late`: the
    unit's transaction opens when the program needs it, or for the commit, and only then is `admit` asked.
    """
    refusals = Refusals(home, request)

    async def work(unit: Unit) -> Any:
        refusals.clear()
        if recording is not None:
            unit.record(recording)
        if program is not None:
            await unit.interpreter.interpret(program, unit.runtime)

    job = Job(
        title=title,
        name=title,
        home=home,
        request=request,
        work=work,
        answer=None,
        answer_call=partial(answer_nested, refusals=refusals),
        admit=admit,
        admit_late=admit_late,
        waits=waits,
        cause=request.causation,
    )
    exit = await _ended(job)
    await refusals.audited_beside(title)
    return exit


async def _ended(job: Job) -> Succeeded[None] | Failed[Any] | Died:
    """Carry a job out and return how it ended. Keeps no exit in a variable: with its traceback it would be a cycle."""
    try:
        await carry_out(job)
    except Raised as raised:
        return Failed(raised.error)
    except Exception as defect:
        return Died(defect)
    return Succeeded(None)


def request_of(title: str, envelope: Envelope) -> MessageContext:
    """Say on whose behalf an event is handled, and what caused it."""
    return MessageContext(
        correlation=envelope.correlation,
        causation=envelope.id,
        principal=Principal.system(title),
        traceparent=envelope.traceparent,
        tracestate=envelope.tracestate,
        tenant=envelope.tenant,
        delivery=f"{title}/{envelope.id}",
    )


def due_request(title: str, envelope: Envelope) -> MessageContext:
    """Say on whose behalf a due command is handled: its item's id is its command id."""
    return MessageContext(
        correlation=envelope.correlation,
        causation=envelope.causation,
        principal=Principal.system(title),
        command_id=envelope.id,
        traceparent=envelope.traceparent,
        tracestate=envelope.tracestate,
        tenant=envelope.tenant,
    )


async def _admitted(home: Home, admit: Admit) -> None:
    # Nothing is left to do but what `admit` itself writes, such as the end of an item.
    async with home.store.unit() as unit:
        await unit.begin()
        await admit(unit)
        await unit.commit(Ledger())


async def _stored(home: Home, entry: Entry, request: MessageContext) -> Answer | None:
    """Read what the command id has answered already, beside any unit of work."""
    assert request.command_id is not None
    try:
        return await home.store.answer(request.command_id)
    except StoreDown as error:
        raise CommandNotDone(entry.handler.title, StoreUnavailable(error.store, error.reason)) from error
