"""The base of `perform` for a whole application: dispatched commands and queries, each in a unit of its own.

Order of one command: correlate, validate, authorise, unit of work (stored answer, body, domain events, ledger,
commit), tell the caller. Knows no names of messages, no wire, no life cycle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast, final

from attrs import frozen
from typing_extensions import TypeVar

from effect_runtime.dispatch._attempts import Job, carry_out
from effect_runtime.dispatch._drain import note
from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._judgement import denied, judge
from effect_runtime.dispatch._ledger import audit_entry, outcome_of, recall
from effect_runtime.dispatch._refused import Forbidden, Invalid, NotDone, Refused, StoreUnavailable
from effect_runtime.dispatch._request import MessageContext, Principal
from effect_runtime.dispatch._subscription import Subscription
from effect_runtime.dispatch._unit import Unit
from effect_runtime.effect import Call, Died, Eff, Failed, Operation, Raised, Succeeded
from effect_runtime.errors import (
    AtomicOutsideUnit,
    CommandNotDone,
    ContextUnknown,
    ForeignCall,
    OperationOutsideUnit,
    RuntimeOutsideUnit,
    StoreDown,
    WriteInQuery,
)
from effect_runtime.integration import Envelope, fingerprint
from effect_runtime.interpreter import Interpreter

A = TypeVar("A")
E = TypeVar("E")
R = TypeVar("R")


class _Atomic:
    """Mark a `Call` as a savepoint around an effect, not a message for a handler."""

    def __repr__(self) -> str:
        return "atomic"


_ATOMIC: Final = _Atomic()


def atomic(eff: Eff[A, E, R]) -> Eff[A, E, R]:
    """Describe running `eff` as one step: if it fails, what it wrote, emitted and published is undone.

    Plain `catch`, `attempt` and `retry` undo nothing. Refused outside a unit of work and inside a parallel branch.
    """
    return cast("Eff[A, E, R]", Call(_ATOMIC, eff, title="atomic"))


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
        if handler is _ATOMIC:
            raise AtomicOutsideUnit
        home = self.homes.get(getattr(handler, "context", ""))
        if home is not None:
            entry = home.commands.get(handler)
            if entry is not None:
                return await self._command(home, entry, call.message, context)
            entry = home.queries.get(handler)
            if entry is not None:
                return await _Reading(home, entry, context).answer(call.message)
        raise ContextUnknown(call.title, context=getattr(handler, "context", "unknown"), known=tuple(self.homes))

    async def refuse(self, handler: object, context: MessageContext, refusal: Refused) -> None:
        """Audit a refusal that a door made before the message could be dispatched."""
        home = self.homes[getattr(handler, "context", "")]
        await _audit_refusals(home, context, [(getattr(handler, "name", ""), refusal)])

    async def _command(self, home: Home, entry: Entry, message: Any, request: MessageContext) -> Any:
        handler = entry.handler
        refusals: list[tuple[str, Refused]] = []
        judgement = judge(handler, message, request.principal, nested=False)
        if isinstance(judgement, Invalid | Forbidden):
            await _audit_refusals(home, request, [(handler.name, judgement)])
            raise Raised(judgement)
        digest = None if request.command_id is None else fingerprint(handler.title, message)
        policy = judgement
        if digest is not None and policy is None:
            stored = await _stored(home, entry, request, digest)
            if stored is not None:
                return stored[0]

        async def work(unit: Unit) -> Any:
            if policy is not None:
                await _authorise(unit.interpreter, policy, unit.runtime, entry, request.principal, refusals)
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
            answer_call=_Nested(refusals).answer,
            fingerprint=digest,
            claim_first=policy is None,
        )
        try:
            return await carry_out(job)
        finally:
            if refusals:
                await _audit_refusals(home, request, refusals)

    async def deliver(
        self,
        subscription: Subscription[Any],
        event: Any,
        envelope: Envelope,
        *,
        admit: Callable[[Any], Awaitable[bool]],
    ) -> Succeeded[None] | Failed[Any] | Died:
        """Run a subscription's handler for one event, in a unit of its own context.

        The unit begins and `admit` decides in it, first: False commits what it wrote and runs nothing. Nothing is
        written when the answer is Failed or Died. It may be called again for the same event, in a new unit.
        """
        home = self.homes[subscription.context]
        handler = subscription.handler_of(type(event))
        refusals: list[tuple[str, Refused]] = []
        request = MessageContext(
            correlation=envelope.correlation,
            causation=envelope.id,
            principal=Principal.system(subscription.id),
            traceparent=envelope.traceparent,
            tracestate=envelope.tracestate,
            tenant=envelope.tenant,
        )
        title = f"{subscription.id}.{type(event).__name__ if handler is None else handler.name}"

        async def work(unit: Unit) -> Any:
            if handler is not None:
                await unit.interpreter.interpret(handler.body(event), unit.runtime)

        job = Job(
            title=title,
            name=title,
            home=home,
            request=request,
            work=work,
            answer=None,
            answer_call=_Nested(refusals).answer,
            admit=admit,
        )
        try:
            await carry_out(job)
        except Raised as raised:
            return Failed(raised.error)
        except Exception as defect:
            return Died(defect)
        finally:
            if refusals:
                await _audit_refusals(home, request, refusals)
        return Succeeded(None)


@final
@frozen(eq=False)
class _Nested:
    """Answer the messages that handlers send to handlers of the same context, in the same unit of work."""

    refusals: list[tuple[str, Refused]]

    async def answer(self, unit: Unit, call: Call, runtime: Any) -> Any:
        """Dispatch a nested command, or run the effect of `atomic`, as a savepoint."""
        handler, message = call.handler, call.message
        if handler is _ATOMIC:
            return await unit.within_savepoint(
                "atomic(...)", lambda: unit.interpreter.interpret(cast("Eff[Any, Any, Any]", message), runtime)
            )
        entry = unit.home.commands.get(handler)
        if entry is None:
            reason = "it is a query" if handler in unit.home.queries else "it belongs to another context"
            raise ForeignCall(call.title, unit=unit.title, reason=reason)
        found = entry

        async def work() -> Any:
            principal = unit.request.principal
            judgement = judge(found.handler, message, principal, nested=True)
            if isinstance(judgement, Invalid | Forbidden):
                self.refusals.append((found.handler.name, judgement))
                raise Raised(judgement)
            if judgement is not None:
                await _authorise(unit.interpreter, judgement, runtime, found, principal, self.refusals)
            body = unit.interpreter.interpret(found.handler.body(message), runtime)
            return await _noted(found.handler.title, body)

        return await unit.within_savepoint(found.handler.title, work)


@final
class _Reading:
    """One query and the queries it sends, over one read session."""

    __slots__ = ("entry", "home", "interpreter", "refusals", "request")

    def __init__(self, home: Home, entry: Entry, request: MessageContext) -> None:
        self.home = home
        self.entry = entry
        self.request = request
        self.refusals: list[tuple[str, Refused]] = []
        self.interpreter = home.interpreter.with_perform(self.perform)

    async def answer(self, message: Any) -> Any:
        """Judge the query, read, and answer."""
        title = self.entry.handler.title
        try:
            async with self.home.store.reading() as session:
                return await self._ask(self.entry, message, self.home.reading(session), nested=False)
        except StoreDown as error:
            raise CommandNotDone(title, StoreUnavailable(error.store, error.reason)) from error
        finally:
            if self.refusals:
                await _audit_refusals(self.home, self.request, self.refusals)

    async def perform(self, operation: Operation, runtime: Any) -> Any:
        """Perform one operation of a query."""
        if not isinstance(operation, Call):
            return await operation.method.function(*operation.call, **operation.kwargs)
        entry = self.home.queries.get(operation.handler)
        if entry is None:
            raise WriteInQuery(operation.title, query=self.entry.handler.title)
        return await self._ask(entry, operation.message, runtime, nested=True)

    async def _ask(self, entry: Entry, message: Any, runtime: Any, *, nested: bool) -> Any:
        handler, principal = entry.handler, self.request.principal
        judgement = judge(handler, message, principal, nested=nested)
        if isinstance(judgement, Invalid | Forbidden):
            self.refusals.append((handler.name, judgement))
            raise Raised(judgement)
        if judgement is not None:
            await _authorise(self.interpreter, judgement, runtime, entry, principal, self.refusals)
        return await _noted(handler.title, self.interpreter.interpret(handler.body(message), runtime))


async def _authorise(
    interpreter: Interpreter,
    policy: Eff[bool, Any, Any],
    runtime: Any,
    entry: Entry,
    principal: Principal,
    refusals: list[tuple[str, Refused]],
) -> None:
    if not await interpreter.interpret(policy, runtime):
        refusal = denied(entry.handler, principal)
        refusals.append((entry.handler.name, refusal))
        raise Raised(refusal)


async def _noted(title: str, work: Awaitable[Any]) -> Any:
    try:
        return await work
    except Exception as defect:
        note(defect, f"in {title}")
        raise


async def _stored(home: Home, entry: Entry, request: MessageContext, digest: bytes) -> tuple[Any] | None:
    """Return what the command id has answered already, by a plain read."""
    assert request.command_id is not None
    title = entry.handler.title
    try:
        answer = await home.store.answer(request.command_id)
    except StoreDown as error:
        raise CommandNotDone(title, StoreUnavailable(error.store, error.reason)) from error
    if answer is None:
        return None
    return (recall(answer, command=title, fingerprint=digest, kind=entry.signature.answer),)


async def _audit_refusals(home: Home, request: MessageContext, refusals: list[tuple[str, Refused]]) -> None:
    at = home.host.time.now()
    for name, refusal in refusals:
        command_id = request.command_id or str(home.host.entropy.uuid())
        entry = audit_entry(home, request, command=name, command_id=command_id, outcome=outcome_of(refusal), at=at)
        try:
            await home.store.audit(entry)
        except StoreDown as error:
            reason: NotDone = StoreUnavailable(error.store, error.reason)
            raise CommandNotDone(f"{home.name}.{name}", reason) from error
