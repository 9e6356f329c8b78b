"""The agenda's worker: borrows due entries of some reactions and has each tried by the reaction that takes it.

Knows rows, leases and due times. What a failed try means is decided in `_agenda`, a try itself runs in `_reaction`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, assert_never

from attrs import Factory, define, field

from effect_runtime.dispatch import Acknowledgement, AgendaEntry, Diagnostic, GivenUp, Handled, Ledger
from effect_runtime.errors import StoreConflict, TransactionLost
from effect_runtime.integration import encode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox._consumer import ConsumerPolicy
from effect_runtime.outbox._inbox import Bury, Hold, Plan, Settle
from effect_runtime.outbox._ports import AgendaStore, AgendaUnit, DeadLetter, DeadLetterStore
from effect_runtime.outbox._reaction import Setback, Taker, Try
from effect_runtime.outbox._text import bounded, extended


class AgendaWorkerStore(AgendaStore, DeadLetterStore, Protocol):
    """What a worker of the agenda needs from its context's store."""

    def version(self) -> int:
        """Return a number that grows when any process has committed."""
        ...


@define(eq=False)
class AgendaWorker:
    """Work on the due entries of some reactions: the `Source` of a pump, which owns it.

    `ended` is told of each item that ended here, once that has committed.
    """

    store: AgendaWorkerStore
    takers: Mapping[str, Taker]
    host: Host
    policy: ConsumerPolicy
    tally: Counter[str]
    ended: Callable[[str, Acknowledgement], None]
    diagnose: Callable[[Diagnostic], None] | None = None
    lent: list[AgendaEntry] = field(init=False, factory=list)
    owner: str = field(init=False, default=Factory(lambda self: str(self.host.entropy.uuid()), takes_self=True))

    async def claim(self, free: int) -> Sequence[AgendaEntry]:
        """Borrow due entries."""
        entries = await self.store.claim_agenda(
            owner=self.owner, limit=free, lease=self.policy.lease, reactions=tuple(self.takers)
        )
        self.lent += entries
        return entries

    async def work(self, item: AgendaEntry) -> None:
        """Try one entry. The store's own trouble is raised: the lease runs out, and the entry is lent again."""
        try:
            await self._try(item)
        except Exception:
            self.lent.remove(item)  # giving it back would only spin
            raise
        self.lent.remove(item)

    async def _try(self, item: AgendaEntry) -> None:
        taker = self.takers[item.item.reaction]
        attempt = Try(
            taker,
            partial(_take, item),
            attempts=item.attempts,
            elapsed=self.host.time.now() - _due_since(item),
            chance=self.host.entropy.random(),
        )
        setback = await attempt.of(item.item, within=self.policy.handle_within)
        if setback is not None:
            await self._conclude(item, setback, attempt)
        elif attempt.is_stale:
            self.tally["stale"] += 1
        else:
            self._end(item, "handled", Handled())

    async def flush(self) -> None:
        """Do nothing: outcomes were committed one by one."""

    async def close(self) -> None:
        """Give back what was cut off, as far as it is still ours: a try that committed after all has ended it."""
        if not self.lent:
            return
        async with self.store.unit() as unit:
            await unit.begin()
            for entry in self.lent:
                await unit.agenda.release(entry.item.envelope.id, entry.token)
            await unit.commit(Ledger())
        self.lent.clear()

    async def due_in(self) -> float | None:
        """Return the seconds until the next entry is due."""
        due = await self.store.next_agenda(tuple(self.takers))
        return None if due is None else (due - self.host.time.now()).total_seconds()

    async def _conclude(self, entry: AgendaEntry, setback: Setback, attempt: Try) -> None:
        """Write what follows from a failed try in a unit of its own, if the loan is still ours."""
        plan = setback.plan
        letter = await self._letter(entry, plan, attempt) if isinstance(plan, Bury) else None
        try:
            is_ours = await self._written(entry, plan, letter, alone=False)
        except (StoreConflict, TransactionLost):
            is_ours = await self._written(entry, plan, letter, alone=True)
        if not is_ours:
            self.tally["stale"] += 1
            return
        if letter is not None:
            self._end(entry, "buried", GivenUp((letter.id,)))
        elif isinstance(plan, Hold):
            self.tally["retried"] += 1
        else:
            self._end(entry, "ignored", Handled())
        self._tell(entry, setback, letter)

    async def _written(self, entry: AgendaEntry, plan: Plan, letter: DeadLetter | None, *, alone: bool) -> bool:
        id, token = entry.item.envelope.id, entry.token
        async with self.store.unit(alone=alone) as unit:
            await unit.begin()
            match plan:
                case Settle():
                    is_ours = await unit.agenda.take(id, token)
                case Hold(wait, error):
                    # Counted from the write, not from the claim: the wait is between two tries.
                    due = self.host.time.now() + wait
                    is_ours = await unit.agenda.retry(id, token, due=due, error=bounded(error))
                case Bury():
                    assert letter is not None  # written for this plan
                    is_ours = await unit.agenda.bury(id, token, letter)
                case _:
                    assert_never(plan)
            await unit.commit(Ledger())
        return is_ours

    async def _letter(self, entry: AgendaEntry, plan: Bury, attempt: Try) -> DeadLetter:
        """Write the dead letter that an entry becomes. It has the item's id, unless a replay of it had that before."""
        envelope, now = entry.item.envelope, self.host.time.now()
        # Whoever waits for the item in another process finds the letter by the item's id, so it keeps that if it can.
        is_taken = await self.store.dead_letter(envelope.id) is not None
        return DeadLetter(
            id=str(self.host.entropy.uuid()) if is_taken else envelope.id,
            side="agenda",
            destination=entry.item.reaction,
            topic=envelope.topic,
            key=envelope.key,
            sequence=None,
            event=envelope.id,
            type=envelope.type,
            body=encode_message(envelope).body,
            cause=bounded(plan.cause),
            history=extended(entry.history, plan.cause),
            attempts=entry.attempts + 1,
            blocks=False,
            at=max(now, entry.since),
            recording=attempt.letter_recording(),
        )

    def _end(self, entry: AgendaEntry, counted: str, ending: Acknowledgement) -> None:
        self.tally[counted] += 1
        self.ended(entry.item.envelope.id, ending)

    def _tell(self, entry: AgendaEntry, setback: Setback, letter: DeadLetter | None) -> None:
        if self.diagnose is None:
            return
        about = f"{entry.item.envelope.type} {entry.item.envelope.id}"
        told = told_of(entry.item.reaction, about, setback, attempts=entry.attempts, letter=letter)
        if told is not None:
            self.diagnose(told)


def told_of(
    reaction: str, about: str, setback: Setback, *, attempts: int, letter: DeadLetter | None
) -> Diagnostic | None:
    """Say what somebody has to mend: each dead letter, and an item whose first try ended in a bug."""
    match setback.plan:
        case Bury(cause) if letter is not None:
            subject = f"{about} is a dead letter: {cause}"
            advice = f"Mend the cause, then app.dead_letters.replay({letter.id!r}), or discard(...) it."
        case Hold(_, error) if attempts == 0 and not setback.declared:
            subject = f"{about} could not be handled: {error}"
            advice = "It is kept and tried again, at once and by its schedule, then becomes a dead letter."
        case _:
            return None
    return Diagnostic(kind="delivery", command=reaction, subject=subject, place="agenda", advice=advice)


async def _take(entry: AgendaEntry, unit: AgendaUnit) -> bool:
    return await unit.agenda.take(entry.item.envelope.id, entry.token)


def _due_since(entry: AgendaEntry) -> datetime:
    """Return since when the entry might have been done, for schedules with a deadline."""
    return entry.since if entry.item.due is None else max(entry.since, entry.item.due)
