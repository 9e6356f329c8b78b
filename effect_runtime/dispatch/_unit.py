"""One unit of work while its program runs: the base of `perform`, savepoints, and what may still be repeated.

Owned by the task that dispatches the command; it ends with the transaction. Knows no pipeline, no retry, no events'
handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NoReturn, final

from anyio import CancelScope, current_time
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import define

from effect_runtime.dispatch._due_commands import DueCommands
from effect_runtime.dispatch._home import Home
from effect_runtime.dispatch._ports import Answer, UnitOfWork
from effect_runtime.dispatch._request import Diagnostic, DiagnosticKind, MessageContext
from effect_runtime.dispatch._turn import Turn
from effect_runtime.effect import Call, Operation
from effect_runtime.errors import (
    RollbackFailed,
    SavepointInBranch,
    StoreConflict,
    StoreDown,
    TransactionLost,
)
from effect_runtime.events import Events
from effect_runtime.integration import Outbox
from effect_runtime.interpreter import Recording, running_line, this_task

_UNDOING = timedelta(seconds=30)
"""How long undoing a savepoint may take before the whole unit is given up."""


class NotAdmitted(Exception):
    """Abandon a body that has nothing to do: its item is another's by now. Never leaves dispatch."""


class Answered(Exception):
    """Abandon a body whose twin has answered already. Never leaves dispatch."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.command_id)
        self.answer = answer


@define(eq=False)
class Savepoint:
    """Where to cut back to: the store's savepoint, taken no earlier than needed, and the queues' lengths."""

    number: int | None
    events: int
    outbox: int


@final
class Unit:
    """Perform the operations of one unit of work.

    `interruption` is what ended the unit from within, whatever its program makes of it: a twin's answer, a conflict, a
    lost transaction, an item that is another's. `irreversible` names the first operation that must not happen twice.
    `cause` is the id of the message that the unit is for, once it is known.
    """

    __slots__ = (
        "admit",
        "answer_call",
        "cause",
        "claim",
        "due",
        "events",
        "home",
        "interpreter",
        "interruption",
        "irreversible",
        "is_open",
        "outbox",
        "owner",
        "request",
        "running",
        "runtime",
        "savepoints",
        "scope",
        "settled",
        "title",
        "transaction",
        "turn",
        "waits",
    )  # fmt: skip

    def __init__(
        self,
        home: Home,
        transaction: UnitOfWork[Any],
        request: MessageContext,
        *,
        title: str,
        fingerprint: bytes | None,
        answer_call: Callable[[Unit, Call, Any], Awaitable[Any]],
        cause: str | None = None,
        admit: Callable[[Any], Awaitable[bool]] | None = None,
        waits: Callable[[], None] | None = None,
    ) -> None:
        self.home = home
        self.transaction = transaction
        self.request = request
        self.title = title
        self.cause = cause or request.command_id
        self.claim = fingerprint
        self.admit = admit
        self.waits = waits
        self.answer_call = answer_call
        self.events = Events()
        self.outbox: Outbox[Any] = Outbox(home.topics)
        self.due = DueCommands(home, transaction, request, self.identify)
        self.runtime = home.runtime(transaction.session, self.events, self.outbox, request, self.due)
        self.interpreter = home.interpreter.with_perform(self.perform)
        self.owner = this_task()
        self.turn = Turn()
        self.scope = CancelScope(deadline=_deadline(home.binding.deadline))
        self.savepoints: list[Savepoint] = []
        self.is_open = False
        self.settled = False
        self.running: Operation | None = None
        self.interruption: Exception | None = None
        self.irreversible: str | None = None

    def identify(self) -> str:
        """Return the id of the message that the unit is for; drawn once where it came without one."""
        if self.cause is None:
            self.cause = str(self.home.host.entropy.uuid())
        return self.cause

    async def perform(self, operation: Operation, runtime: Any) -> Any:
        """Perform one operation of the program; the innermost of the interpreter's layers."""
        # One operation of every program comes by here: two attribute look-ups and a comparison are all that a local
        # one pays.
        kind = operation.method.kind
        if kind == "transactional":
            return await self._within_transaction(operation)
        if kind == "dispatch":
            assert isinstance(operation, Call)
            return await self.answer_call(self, operation, runtime)
        if kind == "external":
            self._note_external(operation)
        self.running = operation
        try:
            value = await operation.method.function(*operation.call, **operation.kwargs)
        except BaseException:
            self._forget_running()
            raise
        self.running = None
        return value

    async def open(self) -> None:
        """Open the transaction, with the claim as its first row, unless it is open."""
        if not self.turn.take():
            await self.turn.wait()
        try:
            await self._settle()
        finally:
            self.turn.leave()

    async def claimed(self, fingerprint: bytes) -> None:
        """Claim the command id from now on: at once if the transaction is open, otherwise when it opens."""
        self.claim = fingerprint
        if self.is_open:
            await self._claim()

    async def within_savepoint(self, what: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run `work`; if it ends in any way but a value, undo what it wrote and collected."""
        # Savepoints are a stack on one connection: those of two branches would end in an order that neither of them
        # knows.
        if this_task() != self.owner:
            raise SavepointInBranch(what)
        savepoint = Savepoint(None, self.events.mark(), self.outbox.mark())
        self.savepoints.append(savepoint)
        # Lazily: the savepoint itself is taken by the next transactional operation, if there is one.
        self.settled = False
        try:
            value = await work()
            await self._keep(savepoint)
        except BaseException as error:
            await self._undo(savepoint, what, error)
            raise
        return value

    def record(self, recording: Recording) -> None:
        """Keep the operations from now on, as the program sees them, in `recording`; forget an earlier unit's."""
        recording.begin()
        self.interpreter = self.interpreter.with_interceptors(recording.interceptor)

    def close(self) -> None:
        """End the runtime's queues: what the unit collects after this would be lost."""
        self.home.writing.pop(self.owner, None)
        self.events.close()
        self.outbox.close()
        self.due.close()

    async def _within_transaction(self, operation: Operation) -> Any:
        if not self.turn.take():
            await self.turn.wait()
        try:
            self.running = operation
            # `settled` spares every operation but the first the loop over claim and savepoints.
            if not self.settled or self.interruption is not None:
                await self._settle()
            value = await operation.method.function(*operation.call, **operation.kwargs)
            self.running = None
            return value
        except (StoreConflict, TransactionLost, StoreDown) as error:
            await self._abandon(error)
        except BaseException:
            self._forget_running()
            raise
        finally:
            self.turn.leave()

    def _forget_running(self) -> None:
        # Cut off by the unit's own deadline, it is what the caller is told of; by a timeout inside, it is over.
        if not self.scope.cancel_called:
            self.running = None

    async def _settle(self) -> None:
        """Bring the transaction to where the program is: open, claimed, one savepoint for each level."""
        if self.interruption is not None:
            await self._abandon(self.interruption)
        try:
            if not self.is_open:
                if self.waits is not None:
                    self.waits()
                # An inner timeout may cut this off: `is_open` is set only after it, and the next operation asks
                # again.
                await self.transaction.begin()
                self.is_open = True
                self.home.writing[self.owner] = self.title
            if self.admit is not None:
                await self._admit(self.admit)
            if self.claim is not None:  # Also where an earlier claim was interrupted.
                await self._claim()
            for savepoint in self.savepoints:
                if savepoint.number is None:
                    savepoint.number = await self.transaction.savepoint()
        except (StoreConflict, TransactionLost, StoreDown) as error:
            await self._abandon(error)
        self.settled = True

    async def _admit(self, admit: Callable[[Any], Awaitable[bool]]) -> None:
        # Shielded: interrupted in the middle it would be asked again, and find what it had done itself.
        with CancelScope(shield=True):
            is_admitted = await admit(self.transaction)
            self.admit = None
            if is_admitted:
                return
        await self._abandon(NotAdmitted())

    async def _claim(self) -> None:
        command_id, fingerprint = self.request.command_id, self.claim
        if command_id is None or fingerprint is None:
            return
        # Kept until there is an answer: interrupted, the claim is still to be made.
        answer = await self.transaction.claim(command_id, fingerprint)
        self.claim = None
        if answer is not None:
            await self._abandon(Answered(answer))

    async def _abandon(self, error: Exception) -> NoReturn:
        """End the unit's program by a cancellation, which no broad `except` in its body can outlive."""
        if self.interruption is None:
            # Only the first reason counts; those that follow are its echoes in a body that is being cancelled.
            self.interruption = error
            self.scope.cancel()
        await checkpoint_if_cancelled()
        raise error  # shielded, so the cancellation has to wait

    async def _keep(self, savepoint: Savepoint) -> None:
        if savepoint.number is not None:
            if not self.turn.take():
                await self.turn.wait()
            try:
                await self.transaction.release(savepoint.number)
            finally:
                self.turn.leave()
        self.savepoints.remove(savepoint)

    async def _undo(self, savepoint: Savepoint, what: str, cause: BaseException) -> None:
        if savepoint in self.savepoints:
            self.savepoints.remove(savepoint)
        self.events.cut(savepoint.events)
        self.outbox.cut(savepoint.outbox)
        if savepoint.number is None or self.interruption is not None or self.scope.cancel_called:
            return  # the whole unit will be rolled back
        # What stands if the deadline below cuts the undoing off, which raises nothing.
        failure: Exception = RollbackFailed(what, reason="the store did not answer in time")
        # Shielded: rows of a cancelled savepoint must be gone before the program around it goes on.
        with CancelScope(shield=True, deadline=_deadline(_UNDOING)):
            try:
                await self._roll_back_to(savepoint.number)
                return
            except (StoreConflict, TransactionLost, StoreDown) as error:
                failure = error
            except Exception as error:
                failure = RollbackFailed(what, reason=f"{type(error).__name__}: {error}")
        failure.__cause__ = cause
        await self._abandon(failure)

    async def _roll_back_to(self, number: int) -> None:
        if not self.turn.take():
            await self.turn.wait()
        try:
            await self.transaction.rollback_to(number)
        finally:
            self.turn.leave()

    def _note_external(self, operation: Operation) -> None:
        # Before it is performed: a call that failed, or was cut off, may have taken effect.
        if not operation.method.idempotent and self.irreversible is None:
            self.irreversible = operation.place(self.runtime)
        if self.is_open:
            self._diagnose(
                "external-in-transaction",
                operation,
                "an external operation while the transaction is open holds it open for as long as that takes",
                "Call it before the first write, or after the commit.",
            )
        elif self.claim is not None and not operation.method.idempotent:
            self._diagnose(
                "external-before-claim",
                operation,
                "an external operation before the command id is claimed may happen once for each twin",
                "Make it idempotent and say so with @operation(idempotent=True), or call it after the commit.",
            )

    def _diagnose(self, kind: DiagnosticKind, operation: Operation, problem: str, advice: str) -> None:
        subject = f"{operation.place(self.runtime)}: {problem}"
        place = running_line() or "line unknown"
        self.home.diagnose(Diagnostic(kind=kind, command=self.title, subject=subject, place=place, advice=advice))


def _deadline(after: timedelta | None) -> float:
    return float("inf") if after is None else current_time() + after.total_seconds()
