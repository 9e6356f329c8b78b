"""Carry one job out in a unit of work, and start it over only where that is allowed.

Knows the store's errors and what each means for the caller. Knows no access rules and no doors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, final

from attrs import define

from effect_runtime.dispatch._drain import drain
from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._home import Home
from effect_runtime.dispatch._items import Reactions
from effect_runtime.dispatch._ledger import answer_of, audit_entry, envelopes_of, reactions_to, recall
from effect_runtime.dispatch._ports import Ledger
from effect_runtime.dispatch._refused import (
    CommitUnknown,
    Conflict,
    DeadlineExceeded,
    NotDone,
    StoreUnavailable,
)
from effect_runtime.dispatch._request import Diagnostic, MessageContext
from effect_runtime.dispatch._unit import Answered, NotAdmitted, Unit
from effect_runtime.effect import Call, Raised
from effect_runtime.errors import (
    CommandNotDone,
    CommitUndecided,
    StoreClosed,
    StoreConflict,
    StoreDown,
    TransactionLost,
)
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import note


@define(eq=False)
class Job:
    """What to do in one unit of work.

    `work` may run more than once, each time in a new unit. `admit`, if there is one, runs first in the transaction
    and may say that there is nothing to do: before the work, or, `admit_late`, as soon as the work needs the
    transaction. `waits` is told before it is waited for. `fingerprint` is there when the success is remembered, typed
    `answer`.
    """

    title: str
    name: str
    home: Home
    request: MessageContext
    work: Callable[[Unit], Awaitable[Any]]
    answer: Any
    answer_call: Callable[[Unit, Call, Any], Awaitable[Any]]
    fingerprint: bytes | None = None
    claim_first: bool = True
    admit: Callable[[Any], Awaitable[bool]] | None = None
    admit_late: bool = False
    waits: Callable[[], None] | None = None
    cause: str | None = None
    """The id of the message that this is, where it came with one of its own: an event's."""
    reactions: Reactions | None = None
    """What is enqueued, where that was decided before the unit began."""
    is_recalled: bool = False
    """Whether a twin's answer became its value."""
    queues: tuple[EventQueue, ...] = ()
    """The after-commit queues that the commit has added to; empty before it."""


@final
class Attempts:
    """The tries of one job. Owned by one call of `carry_out`."""

    __slots__ = ("alone", "job", "number", "started", "unit")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.number = 0
        self.alone = False
        self.started = 0.0
        self.unit: Unit | None = None

    async def carry_out(self) -> Any:
        """Return the job's value once it is durable, or raise its failure, its defect, or `CommandNotDone`."""
        job = self.job
        self.started = job.home.host.time.monotonic()
        while True:
            try:
                return await self._once()
            except Answered as answered:
                assert job.fingerprint is not None
                job.is_recalled = True
                return recall(answered.answer, command=job.title, fingerprint=job.fingerprint, kind=job.answer)
            except NotAdmitted:
                return None
            except TransactionLost as error:
                if self.alone or not self._may_repeat():
                    raise self._not_done(Conflict(self._reason(error))) from error
                # Once only: alone in its transaction a unit meets nobody's trouble but its own.
                self.alone = True
            except StoreConflict as error:
                wait = self._next_wait()
                if wait is None:
                    raise self._not_done(Conflict(self._reason(error))) from error
                await job.home.host.time.sleep(wait)
            except StoreDown as error:
                raise self._not_done(StoreUnavailable(error.store, error.reason)) from error
            except StoreClosed as error:
                raise self._not_done(StoreUnavailable(error.store, "it is being closed")) from error
            except CommitUndecided as error:
                raise self._not_done(CommitUnknown(job.request.command_id)) from error

    async def _once(self) -> Any:
        job = self.job
        home = job.home
        committed: tuple[Envelope, ...] = ()
        try:
            async with home.store.unit(alone=self.alone) as transaction:
                unit = self.unit = Unit(
                    home,
                    transaction,
                    job.request,
                    title=job.title,
                    fingerprint=job.fingerprint if job.claim_first else None,
                    answer_call=job.answer_call,
                    cause=job.cause,
                    admit=job.admit if job.admit_late else None,
                    waits=job.waits,
                )
                try:
                    admitted, value = await self._worked(unit)
                    if admitted:
                        committed = await self._commit(unit, value)
                    else:
                        await transaction.commit(Ledger())
                finally:
                    unit.close()
        finally:
            if committed:
                # In `finally`, because leaving the unit may raise or be cancelled after COMMIT: the relay is told all
                # the same.
                await self._tell(committed)
        return value

    async def _worked(self, unit: Unit) -> tuple[bool, Any]:
        """Run the job up to its commit, under the deadline; say whether it was admitted, and its value."""
        job = self.job
        value: Any = None
        admitted = True
        try:
            with unit.scope:
                if job.admit is not None and not job.admit_late:
                    await unit.open()
                    admitted = await job.admit(unit.transaction)
                if admitted:
                    value = await job.work(unit)
                    if unit.events.mark():
                        await drain(unit)
                    # Within the deadline: also a body that wrote nothing waits its turn, for the claim and the
                    # ledger.
                    if not unit.is_open:
                        await unit.open()
        except (Exception, Raised) as error:
            if unit.interruption is not None:
                raise unit.interruption from None
            if isinstance(error, Exception):
                note(error, f"in {job.title}")
            raise
        if unit.interruption is not None:
            raise unit.interruption
        if unit.scope.cancel_called:  # Not `cancelled_caught`: what cannot be interrupted ends with a value, too late.
            raise self._not_done(self._overdue(unit))
        return admitted, value

    async def _commit(self, unit: Unit, value: Any) -> tuple[Envelope, ...]:
        job, home, request = self.job, unit.home, unit.request
        at = home.host.time.now()
        command_id = unit.identify()
        collected = envelopes_of(unit, causation=command_id, at=at) if unit.outbox.mark() else ()
        rows = home.transport.rows(collected) if collected else ()
        reactions = job.reactions
        if reactions is None and home.after_commits and unit.events.mark():
            reactions = reactions_to(unit, causation=command_id, at=at)
        ledger = Ledger(
            audit=audit_entry(home, request, command=job.name, command_id=command_id, outcome="succeeded", at=at),
            answer=None if job.fingerprint is None else answer_of(command_id, job.fingerprint, value, job.answer),
            events=rows,
            agenda=() if reactions is None else reactions.durable,
        )
        numbered = await unit.transaction.commit(ledger)
        if reactions is not None or unit.due.is_used:
            self._leave(unit, reactions)
        # Without rows no store has numbered anything, and the interpreter gets what was collected.
        return numbered if rows else collected

    def _leave(self, unit: Unit, reactions: Reactions | None) -> None:
        """Hand what the commit leaves for later to the workers."""
        queues = unit.home.queues
        if reactions is not None:
            self.job.queues = reactions.queues
            if reactions.volatile:
                queues.put(reactions.volatile)
        if unit.due.is_used or (reactions is not None and reactions.durable):
            queues.wake()

    async def _tell(self, committed: tuple[Envelope, ...]) -> None:
        """Hand committed events on; trouble there must not look like trouble of the command, which stands."""
        job = self.job
        try:
            await job.home.transport.committed(committed)
        except Exception as error:
            job.home.diagnose(
                Diagnostic(
                    kind="after-commit",
                    command=job.title,
                    subject=f"{len(committed)} committed events were not handed on: {type(error).__name__}: {error}",
                    place="after the commit",
                    advice="With the outbox the relay finds them by itself; without one they are lost.",
                )
            )

    def _overdue(self, unit: Unit) -> DeadlineExceeded:
        after = unit.home.binding.deadline or timedelta(0)
        running = unit.running
        return DeadlineExceeded(None if running is None else running.place(unit.runtime), after)

    def _may_repeat(self) -> bool:
        # Where a try ended before it had a unit, the unit of the one before still counts: what went out then stays
        # out.
        return self.unit is None or self.unit.irreversible is None

    def _next_wait(self) -> timedelta | None:
        """Return the wait before the next try, or None when there may be none."""
        if not self._may_repeat():
            return None
        host = self.job.home.host
        elapsed = timedelta(seconds=host.time.monotonic() - self.started)
        self.number += 1
        return self.job.home.binding.conflicts.decide(self.number, elapsed=elapsed, chance=host.entropy.random())

    def _reason(self, error: StoreConflict | TransactionLost) -> str:
        if self._may_repeat():
            return error.reason
        assert self.unit is not None
        return f"{error.reason}; it cannot run again, because {self.unit.irreversible} may have taken effect"

    def _not_done(self, reason: NotDone) -> CommandNotDone:
        return CommandNotDone(self.job.title, reason)


async def carry_out(job: Job) -> Any:
    """Return the job's value once it is durable, or raise its failure, its defect, or `CommandNotDone`."""
    return await Attempts(job).carry_out()
