"""What goes wrong while a command is dispatched: misuse of the unit of work, and units that did not end.

It knows facts as words and values; which of them a caller meets as a `NotDone` value is dispatch's decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from effect_runtime.errors._root import EffectRuntimeError


class CommandNotDone(EffectRuntimeError):
    """Report that dispatch could not carry a command out; `reason` is a `NotDone` value with the facts."""

    def __init__(self, command: str, reason: Any) -> None:
        super().__init__(command, reason)
        self.command = command
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.command} was not done: {self.reason}. `app.run_exit` returns this as Failed({self.reason!r})."


class RuntimeOutsideUnit(EffectRuntimeError):
    """Report a program that asked for a context's runtime where no unit of work is open."""

    def __init__(self, attribute: str) -> None:
        super().__init__(attribute)
        self.attribute = attribute

    def __str__(self) -> str:
        return (
            f"The program asked for `{self.attribute}` of a runtime, but no command or query is being dispatched. "
            "Put the code into a handler and pass `handler(message)` to app.run."
        )


class OperationOutsideUnit(EffectRuntimeError):
    """Report a transactional operation that was run where no unit of work is open."""

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        return (
            f"Transactional operation {self.operation} was run outside a unit of work. "
            "Put it into a handler and pass `handler(message)` to app.run."
        )


class PolicyUndecided(EffectRuntimeError):
    """Report a policy that answered neither True nor False, or failed; nobody was let in."""

    def __init__(self, handler: str, answer: object) -> None:
        super().__init__(handler, answer)
        self.handler = handler
        self.answer = answer

    def __str__(self) -> str:
        return (
            f"The policy in access= of {self.handler} ended with {self.answer!r}, and only True lets a message pass. "
            "Return a bool, or an effect of one that cannot fail: answer False where what it reads is missing."
        )


class ValidatorUndecided(EffectRuntimeError):
    """Report a validator that answered with something else than the wrong fields; nothing was done."""

    def __init__(self, handler: str, answer: object) -> None:
        super().__init__(handler, answer)
        self.handler = handler
        self.answer = answer

    def __str__(self) -> str:
        return (
            f"validate= of {self.handler} answered {self.answer!r}. "
            "Return the wrong fields, FieldError(field, problem) each; an empty list lets the message pass."
        )


class WriteInQuery(EffectRuntimeError):
    """Report a command, or a savepoint, in a program that may only read."""

    def __init__(self, what: str, *, query: str) -> None:
        super().__init__(what, query)
        self.what = what
        self.query = query

    def __str__(self) -> str:
        return f"{self.what} was run by query {self.query}, which may only read. Make {self.query} a command."


class ForeignCall(EffectRuntimeError):
    """Report a handler that was dispatched inside a unit of work it cannot join."""

    def __init__(self, handler: str, *, unit: str, reason: str) -> None:
        super().__init__(handler, unit, reason)
        self.handler = handler
        self.unit = unit
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.handler} cannot be dispatched inside {self.unit}: {self.reason}. "
            "Publish an integration event and subscribe to it, or call both from outside with app.run."
        )


class ContextUnknown(EffectRuntimeError):
    """Report a handler whose context is not bound in this application."""

    def __init__(self, handler: str, *, context: str, known: Sequence[str]) -> None:
        super().__init__(handler, context, tuple(known))
        self.handler = handler
        self.context = context
        self.known = tuple(known)

    def __str__(self) -> str:
        known = ", ".join(repr(name) for name in self.known) or "none"
        return (
            f"{self.handler} belongs to context {self.context!r}, which this app does not have (it has: {known}). "
            f"Add `{self.context}.bind(...)` to the app's contexts."
        )


class SavepointInBranch(EffectRuntimeError):
    """Report `atomic` or a nested command inside a parallel branch."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"{self.what} was run inside a parallel branch, where a rollback would undo what other branches did. "
            "Run it before or after gather, for_each, race or fork; plain operations may stay inside."
        )


class AtomicOutsideUnit(EffectRuntimeError):
    """Report `atomic` where no unit of work is open."""

    def __str__(self) -> str:
        return "atomic(...) was run outside a unit of work. Use it inside a command's handler."


class RunInsideUnit(EffectRuntimeError):
    """Report a door of the application that is used from inside a unit of work on the same store."""

    def __init__(self, title: str, *, unit: str) -> None:
        super().__init__(title, unit)
        self.title = title
        self.unit = unit

    def __str__(self) -> str:
        return (
            f"{self.title} was run through the application from inside {self.unit}, whose open transaction it would "
            f"wait for. Dispatch it in the same unit with `yield from`, or after the commit."
        )


class EventCycle(EffectRuntimeError):
    """Report domain events that cause one another beyond the depth bound."""

    def __init__(self, chain: Sequence[str], *, bound: int) -> None:
        super().__init__(tuple(chain), bound)
        self.chain = tuple(chain)
        self.bound = bound

    def __str__(self) -> str:
        return (
            f"Domain events caused one another {self.bound} deep: {' -> '.join(self.chain)}. "
            "Break the cycle in one of their handlers, or raise event_depth= of the context's bind."
        )


class UndeclaredFailure(EffectRuntimeError):
    """Report a domain event's handler that failed with what its event does not declare."""

    def __init__(self, event: str, *, handler: str, failure: object) -> None:
        super().__init__(event, handler, failure)
        self.event = event
        self.handler = handler
        self.failure = failure

    def __str__(self) -> str:
        kind = type(self.failure).__name__
        return (
            f"Handler {self.handler} failed with {self.failure!r}, which {self.event} does not declare. "
            f"Write `class {self.event}(DomainEvent[{kind}])`, or handle the failure in the handler."
        )


class RollbackFailed(EffectRuntimeError):
    """Report a savepoint that could not be undone, so that its whole unit of work was rolled back."""

    def __init__(self, what: str, *, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"The savepoint of {self.what} could not be undone: {self.reason}. "
            "The whole unit of work was rolled back; run the command again."
        )


class WaitInsideUnit(EffectRuntimeError):
    """Report a program that would wait, inside a unit of work, for what only happens after its commit."""

    def __init__(self, event: str, *, unit: str, place: str) -> None:
        super().__init__(event, unit, place)
        self.event = event
        self.unit = unit
        self.place = place

    def __str__(self) -> str:
        return (
            f"{self.place}: enqueue_and_wait({self.event}) in {self.unit} would wait for what begins after its commit. "
            f"Write enqueue({self.event}(...)) here, or wait outside: `app.run(enqueue_and_wait(...))`."
        )


class NotSendable(EffectRuntimeError):
    """Report a command that cannot be sent later by the context that tries to."""

    def __init__(self, command: str, *, context: str, reason: str, fix: str) -> None:
        super().__init__(command, context, reason, fix)
        self.command = command
        self.context = context
        self.reason = reason
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.command} cannot be sent later by context {self.context!r}: {self.reason}. {self.fix}"


class NaiveDue(EffectRuntimeError):
    """Refuse a due time without a timezone: it names no moment."""

    def __init__(self, due: datetime) -> None:
        super().__init__(due)
        self.due = due

    def __str__(self) -> str:
        return (
            f"The due time {self.due.isoformat()} has no timezone, so it names no moment. "
            "Give an aware datetime, such as one of the runtime's clock, or a timedelta from now."
        )
