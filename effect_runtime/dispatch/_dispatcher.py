"""The base of `perform` for a whole application: dispatched commands and queries, each in a unit of its own.

Order of one command: correlate, validate, authorise, unit of work (stored answer, body, domain events, ledger,
commit), tell the caller. Knows no names of messages, no wire, no life cycle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, final

from attrs import frozen

from effect_runtime.dispatch._attempts import Job, carry_out
from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._ledger import recall
from effect_runtime.dispatch._nesting import ATOMIC, answer_nested
from effect_runtime.dispatch._ports import Answer
from effect_runtime.dispatch._reading import Reading
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._refused import Refused, StoreUnavailable
from effect_runtime.dispatch._request import MessageContext, Principal
from effect_runtime.dispatch._subscription import Subscription
from effect_runtime.dispatch._unit import Unit
from effect_runtime.effect import Call, Died, Failed, Operation, Raised, Succeeded
from effect_runtime.errors import (
    AtomicOutsideUnit,
    CommandNotDone,
    ContextUnknown,
    OperationOutsideUnit,
    RuntimeOutsideUnit,
    StoreDown,
)
from effect_runtime.integration import Envelope, fingerprint
from effect_runtime.interpreter import Recording


class OutsideUnit:
    """Stand in for a runtime where no unit of work is open: every use is a defect that says so."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeOutsideUnit(name)


@final
@frozen(eq=False)
class Dispatcher:
    """Dispatch messages to the open contexts of one application."""

    homes: Mapping[str, Home]

    def door(self, context: MessageContext) -> Callable[[Operation, Any], Awaitable[Any]]:
        """Return the base of `perform` for a program that a door of the application was given."""

        async def perform(operation: Operation, runtime: Any) -> Any:
            if isinstance(operation, Call):
                return await self.answer(operation, context)
            if operation.kind == "transactional":
                raise OperationOutsideUnit(operation.place(runtime))
            return await operation.method.function(*operation.call, **operation.kwargs)

        return perform

    async def answer(self, call: Call, context: MessageContext) -> Any:
        """Dispatch one message from outside: a command in a unit of work, a query in a read session."""
        handler = call.handler
        if handler is ATOMIC:
            raise AtomicOutsideUnit
        home = self.homes.get(getattr(handler, "context", ""))
        if home is not None:
            entry = home.commands.get(handler)
            if entry is not None:
                return await self._command(home, entry, call.message, context)
            entry = home.queries.get(handler)
            if entry is not None:
                return await Reading(home, entry, context).answer(call.message)
        raise ContextUnknown(call.title, context=getattr(handler, "context", "unknown"), known=tuple(self.homes))

    async def refuse(self, handler: object, context: MessageContext, refusal: Refused) -> None:
        """Audit a refusal that a door made before the message could be dispatched."""
        refusals = Refusals(self.homes[getattr(handler, "context", "")], context)
        refusals.add(getattr(handler, "name", ""), refusal)
        await refusals.audited()

    async def _command(self, home: Home, entry: Entry, message: Any, request: MessageContext) -> Any:
        refusals = Refusals(home, request)
        try:
            value = await self._done(home, entry, message, request, refusals)
        except (Exception, Raised):
            await refusals.audited()
            raise
        await refusals.audited_beside(entry.handler.title)
        return value

    async def _done(self, home: Home, entry: Entry, message: Any, request: MessageContext, refusals: Refusals) -> Any:
        handler = entry.handler
        policy = refusals.judged(handler, message, nested=False)
        digest = None if request.command_id is None else fingerprint(handler.title, message)
        if digest is not None and policy is None:
            stored = await _stored(home, entry, request)
            if stored is not None:
                return recall(stored, command=handler.title, fingerprint=digest, kind=entry.signature.answer)

        async def work(unit: Unit) -> Any:
            refusals.clear()
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
        )
        return await carry_out(job)

    async def deliver(
        self,
        subscription: Subscription[Any],
        event: Any,
        envelope: Envelope,
        *,
        admit: Callable[[Any], Awaitable[bool]],
        recording: Recording | None = None,
    ) -> Succeeded[None] | Failed[Any] | Died:
        """Run a subscription's handler for one event, in a unit of its own context.

        The unit begins and `admit` decides in it, first: False commits what it wrote and runs nothing. Nothing is
        written when the answer is Failed or Died. `admit` may be called again for the same event, in a new unit.
        `recording` then holds the operations of the last one.
        """
        home = self.homes[subscription.context]
        request = _request_of(subscription, envelope)
        refusals = Refusals(home, request)
        handler = subscription.handler_of(type(event))
        title = f"{subscription.id}.{type(event).__name__ if handler is None else handler.name}"

        async def work(unit: Unit) -> Any:
            refusals.clear()
            if recording is not None:
                unit.record(recording)
            if handler is not None:
                await unit.interpreter.interpret(handler.body(event), unit.runtime)

        job = Job(
            title=title,
            name=title,
            home=home,
            request=request,
            work=work,
            answer=None,
            answer_call=partial(answer_nested, refusals=refusals),
            admit=admit,
            cause=envelope.id,
        )
        exit: Succeeded[None] | Failed[Any] | Died = Succeeded(None)
        try:
            await carry_out(job)
        except Raised as raised:
            exit = Failed(raised.error)
        except Exception as defect:
            exit = Died(defect)
        await refusals.audited_beside(title)
        return exit


def _request_of(subscription: Subscription[Any], envelope: Envelope) -> MessageContext:
    """Say on whose behalf an event is handled, and what caused it."""
    return MessageContext(
        correlation=envelope.correlation,
        causation=envelope.id,
        principal=Principal.system(subscription.id),
        traceparent=envelope.traceparent,
        tracestate=envelope.tracestate,
        tenant=envelope.tenant,
        delivery=f"{subscription.id}/{envelope.id}",
    )


async def _stored(home: Home, entry: Entry, request: MessageContext) -> Answer | None:
    """Read what the command id has answered already, beside any unit of work."""
    assert request.command_id is not None
    try:
        return await home.store.answer(request.command_id)
    except StoreDown as error:
        raise CommandNotDone(entry.handler.title, StoreUnavailable(error.store, error.reason)) from error
