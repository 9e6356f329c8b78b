"""The consumer: settles every message that a wire hands over, and takes up the events that wait.

Returning from `receive` means durably applied, held, absorbed or dead-lettered; anything else raises. Decisions are in
`_inbox`, an event's writes in `_delivery`, the loop in `_pump`. It knows no wire and no SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, assert_never

from anyio import move_on_after
from attrs import frozen

from effect_runtime.dispatch import Diagnostic, Ledger
from effect_runtime.effect import Cancelled, Died, Exit, Failed, Succeeded
from effect_runtime.errors import (
    BadEnvelope,
    PartitionPaused,
    StoreConflict,
    TransactionLost,
)
from effect_runtime.integration import Envelope, Message, Receive, decode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox._dead_letters import DISCARDED
from effect_runtime.outbox._delivery import Arrival, Delivery
from effect_runtime.outbox._inbox import Admission, Bury, Hold, Plan, Settle, Verdict, gap_address, plan_after_failure
from effect_runtime.outbox._inlet import Inlet
from effect_runtime.outbox._ports import InboxUnit, Waiting
from effect_runtime.outbox._pump import Pace, Pump
from effect_runtime.outbox._text import described, shown
from effect_runtime.outbox._trouble import is_store_trouble, is_stray
from effect_runtime.outbox._wake import Wake, Watch
from effect_runtime.outbox._worker import ConsumerStore, Worker

_RELAXED: Final = Pace(busy_poll=timedelta(milliseconds=50), idle_poll=timedelta(milliseconds=500))
"""Waiting events that another process made due, by a replay, may be taken up a little later."""


@frozen(kw_only=True)
class ConsumerPolicy:
    """How a consumer works. `handle_within` bounds one handler; keep it under the wire's own limit.

    `lease`: for how long a waiting event is borrowed by one worker; a dead worker's events are idle for that long. The
    workers of the agenda are bound by both in the same way.
    """

    handle_within: timedelta = timedelta(seconds=7)
    lease: timedelta = timedelta(seconds=9)


@frozen(kw_only=True)
class ConsumerCounts:
    """What a consumer has done since it was made; an event that comes twice is counted twice."""

    applied: int = 0
    unhandled: int = 0
    ignored: int = 0
    duplicates: int = 0
    parked: int = 0
    paused: int = 0
    retried: int = 0
    buried: int = 0


@frozen
class Partition:
    """One key of one subscription."""

    subscription: str
    topic: str
    key: str


class Consumer:
    """Receive for all subscriptions of one store; owned by whoever runs the application.

    Processes may overlap: whatever they do twice, the inbox row lets through once. `diagnose` is told of each dead
    letter, and of the first attempt of an event that ends in a bug rather than in a declared failure.
    """

    def __init__(
        self,
        store: ConsumerStore,
        inlets: Sequence[Inlet],
        *,
        host: Host,
        wake: Wake,
        policy: ConsumerPolicy | None = None,
        pace: Pace | None = None,
        diagnose: Callable[[Diagnostic], None] | None = None,
    ) -> None:
        self._store = store
        self._diagnose = diagnose
        self._inlets = {inlet.id: inlet for inlet in inlets}
        self._host = host
        self._policy = policy or ConsumerPolicy()
        self._tally: Counter[str] = Counter()
        self._paused: dict[Partition, int] = {}
        worker = Worker(self.take_up, store, host, self._policy.lease, tuple(self._inlets))
        pace = pace or _RELAXED
        self._wake = wake
        self._bell = Wake()
        watch = Watch(store.version, self._bell, host, pace.busy_poll, pace.idle_poll)
        self._pump: Pump[Waiting] = Pump(worker, host=host, pace=pace, wake=self._bell, watch=watch)

    @property
    def counts(self) -> ConsumerCounts:
        """Return what it has done so far."""
        return ConsumerCounts(**self._tally)

    @property
    def inlets(self) -> Mapping[str, Inlet]:
        """Return its subscriptions by id."""
        return dict(self._inlets)

    @property
    def paused(self) -> Mapping[Partition, int]:
        """Return the keys that refused their last event for the bound, with how many events they hold."""
        return dict(self._paused)

    @property
    def trouble(self) -> str | None:
        """Return what keeps its worker from the store, if anything does."""
        return self._pump.trouble

    @property
    def is_calm(self) -> bool:
        """Tell whether its worker has looked, found nothing due, and has not been rung since."""
        return self._pump.is_calm

    async def calm(self) -> None:
        """Wait until its worker is calm. Only a running consumer becomes so."""
        await self._pump.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take up waiting events while entered; leaving finishes those in hand and gives the others back."""
        with self._wake.followed_by(self._bell):
            async with self._pump.running():
                yield

    def receiver(self, subscription: str) -> Receive:
        """Return what a transport calls with each message of one subscription."""
        return partial(self.receive, self._inlets[subscription].id)

    async def receive(self, subscription: str, message: Message) -> None:
        """Settle one message: returns once it is durably applied, held, absorbed or dead-lettered.

        Raises `errors.PartitionPaused` at the bound of a key, and the store's own error when that failed; the message
        is then not accepted and no attempt is spent. Cancelled, it leaves nothing or all.
        """
        await self._take(self._inlets[subscription], message.body, None)

    async def close_gap(self, subscription: str, key: str) -> bool:
        """Give up the numbers that are missing before the first waiting event of a key, and let the key go on.

        For an operator who knows that they will not come, for example after discarding a dead letter of the relay. If
        one does come it is a duplicate then. Returns False when nothing is missing.
        """
        topic = self._inlets[subscription].topic
        async with self._store.unit() as unit:
            await unit.begin()
            head = await unit.inbox.next_in_line(subscription, topic, key)
            if head is None or head.address.sequence is None:
                return False
            state = await unit.inbox.state(head.address)
            if state.blocked or head.address.sequence <= (state.mark or 0) + 1:
                return False
            await unit.inbox.settled(gap_address(head.address, head.address.sequence), "given up")
            await unit.commit(Ledger())
        self._pump.ring()
        return True

    async def take_up(self, waiting: Waiting) -> None:
        """Try a waiting event again."""
        await self._take(self._inlets[waiting.address.subscription], waiting.body, waiting)

    async def _take(self, inlet: Inlet, body: bytes, waiting: Waiting | None) -> None:
        try:
            envelope = decode_message(Message(body=body))
        except BadEnvelope as error:
            # No attempts: other bytes will not come. No block: what cannot be read names no key.
            await self._conclude(Arrival(inlet, body, None, waiting), Bury(str(error), blocks=False))
            return
        arrival = Arrival(inlet, body, envelope, waiting)
        plan = _refusal(inlet, envelope)
        if plan is not None:
            await self._conclude(arrival, plan)
            return
        try:
            event = inlet.decode(envelope)
        except Exception as error:  # a payload, or a user's upcaster, that no attempt will mend
            await self._conclude(arrival, self._planned(arrival, "dead_letter", described(error)))
            return
        await self._handle(arrival, envelope, event)

    async def _handle(self, arrival: Arrival, envelope: Envelope, event: Any) -> None:
        delivery = Delivery(arrival)

        async def admit(unit: InboxUnit) -> bool:
            if not await delivery.admit(unit.inbox, now=self._host.time.now()):
                return False
            # Before the handler, in its transaction: whoever delivers it too waits for us here, and then finds the row.
            await delivery.settle(unit.inbox, "applied")
            return True

        exit: Exit[Any, Any] | None = None
        within = self._policy.handle_within.total_seconds()
        try:
            # A commit that won against the deadline has set `exit`, and stands. A stray cancellation is judged outside
            # of this scope: inside, our own deadline would look like the host's.
            with move_on_after(within):
                exit = await arrival.inlet.deliver(event, envelope, admit=admit, recording=arrival.recording)
        except BaseException as error:
            if not is_stray(error):
                raise
            await self._conclude(arrival, self._planned(arrival, "retry", f"{described(error)}: nobody cancelled it"))
            return
        match exit:
            case Failed(error):
                verdict = arrival.inlet.verdict(event, error)
                await self._conclude(
                    arrival, self._planned(arrival, verdict, shown(error, arrival.inlet.secrets), error), declared=True
                )
            case Died(exception):
                if is_store_trouble(exception):
                    raise exception
                await self._conclude(arrival, self._planned(arrival, "retry", described(exception), exception))
            case None | Cancelled() if not delivery.is_begun:
                # It waited for its store behind others: no attempt of its own was made.
                raise StoreConflict(arrival.inlet.id, reason=f"its turn did not come within {within:g} s")
            case None | Cancelled():
                await self._conclude(arrival, self._planned(arrival, "retry", f"not done within {within:g} s"))
            case Succeeded():
                self._report(delivery, None)
            case _:
                assert_never(exit)

    def _planned(self, arrival: Arrival, verdict: Verdict, error: str, failure: object = None) -> Plan:
        inlet = arrival.inlet
        # Without a failure there is nothing for the schedule to leave out: it was a time-out, or a stray cancellation.
        wait = None
        if failure is None or inlet.schedule.covers(failure):
            elapsed = self._host.time.now() - arrival.since(self._host.time.now())
            chance = self._host.entropy.random()
            wait = inlet.schedule.decide(arrival.attempts + 1, elapsed=elapsed, chance=chance)
        ordered = arrival.address.sequence is not None
        return plan_after_failure(verdict, error=error, wait=wait, ordered=ordered, poison=inlet.poison)

    async def _conclude(self, arrival: Arrival, plan: Plan, *, declared: bool = False) -> None:
        """Write a plan in a unit of its own, if it is still the event's turn: a twin may have applied it since."""
        delivery = Delivery(arrival)
        letter_id = str(self._host.entropy.uuid())
        try:
            await self._written(delivery, plan, letter_id, alone=False)
        except (StoreConflict, TransactionLost):
            # Lost with a batch that others spoiled: alone it has a transaction, and a verdict, of its own.
            await self._written(delivery, plan, letter_id, alone=True)
        self._report(delivery, plan)
        diagnostic = None if delivery.admission is not Admission.APPLY else _diagnostic(arrival, plan, letter_id)
        # A declared failure that is tried again goes as its handler planned: nobody has anything to mend.
        if self._diagnose is not None and diagnostic is not None and not (declared and isinstance(plan, Hold)):
            self._diagnose(diagnostic)

    async def _written(self, delivery: Delivery, plan: Plan, letter_id: str, *, alone: bool) -> None:
        now = self._host.time.now()
        async with self._store.unit(alone=alone) as unit:
            await unit.begin()
            if await delivery.admit(unit.inbox, now=now):
                await delivery.write(unit.inbox, plan, letter_id=letter_id, now=now)
            await unit.commit(Ledger())

    def _report(self, delivery: Delivery, plan: Plan | None) -> None:
        address, waiting = delivery.arrival.address, delivery.state.waiting
        # Raised here and not where it is decided: the unit has ended by now, and the wire keeps the message.
        if delivery.admission is Admission.PAUSE and address.key is not None:
            self._tally["paused"] += 1
            self._paused[Partition(address.subscription, address.topic, address.key)] = waiting
            raise PartitionPaused(
                address.subscription,
                topic=address.topic,
                key=address.key,
                waiting=waiting,
                bound=delivery.arrival.inlet.parked_limit,
            )
        if address.key is not None and waiting < delivery.arrival.inlet.parked_limit:
            self._paused.pop(Partition(address.subscription, address.topic, address.key), None)
        self._tally[_counted(delivery.admission, plan)] += 1
        if delivery.admission is Admission.APPLY and (waiting or isinstance(plan, Hold)):
            self._pump.ring()  # a successor, or the event itself, has a due time now


def _diagnostic(arrival: Arrival, plan: Plan, letter_id: str) -> Diagnostic | None:
    """Say what somebody has to mend: each dead letter, and an event that was tried for the first time."""
    name = "an event" if arrival.envelope is None else f"{arrival.envelope.type} {arrival.envelope.id}"
    about = f"{name} of key {arrival.address.key!r}"
    match plan:
        case Bury(cause):
            subject = f"{about} is a dead letter: {cause}"
            advice = f"Mend the cause, then app.dead_letters.replay({letter_id!r}), or discard(...) it."
        case Hold(_, error) if arrival.attempts == 0:
            subject = f"{about} could not be handled: {error}"
            advice = "It is kept and tried again by the subscription's schedule, then becomes a dead letter."
        case _:
            return None
    return Diagnostic(kind="delivery", command=arrival.inlet.id, subject=subject, place="delivery", advice=advice)


def _refusal(inlet: Inlet, envelope: Envelope) -> Plan | None:
    """Refuse what the subscription must not, or need not, handle; its key goes on."""
    # The topic first: what it says of its key and its tenant is said of another stream.
    if envelope.topic != inlet.topic:
        return Bury(f"Topic {envelope.topic!r} came to a subscription of {inlet.topic!r}.", blocks=False)
    if envelope.type == DISCARDED:
        return Settle("unhandled")  # an operator's word about a number, whoever's it was
    if inlet.tenant is not None and envelope.tenant != inlet.tenant:
        return Bury(f"Tenant {envelope.tenant!r} came to an application of {inlet.tenant!r}.", blocks=False)
    return None if inlet.handles(envelope.type) else Settle("unhandled")


def _counted(admission: Admission, plan: Plan | None) -> str:
    match admission:
        case Admission.DUPLICATE:
            return "duplicates"
        case Admission.GAP | Admission.BEHIND:
            return "parked"
        case _:
            pass
    match plan:
        case None:
            return "applied"
        case Settle(outcome):
            # Outcomes of a plan are named like their counters.
            return outcome
        case Hold():
            return "retried"
        case Bury():
            return "buried"
