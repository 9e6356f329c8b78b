"""One event on its way into one subscription's inbox: what is read and written for each decision.

Decisions come from `_inbox`; this is the thin edge around a unit that someone else opens and commits. Knows no wire.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import assert_never

from attrs import Factory, define, evolve, field, frozen

from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Recording
from effect_runtime.outbox._inbox import (
    Admission,
    Bury,
    Hold,
    Plan,
    Settle,
    baseline_address,
    decide_admission,
    mark_before,
    replay_address,
)
from effect_runtime.outbox._inlet import Inlet
from effect_runtime.outbox._ports import Address, DeadLetter, Inbox, InboxState, Waiting, WaitingReason
from effect_runtime.outbox._recording import encoded_recording
from effect_runtime.outbox._text import bounded, extended

_UNKNOWN = InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)


def _address(inlet: Inlet, body: bytes, envelope: Envelope | None) -> Address:
    if envelope is None:  # unreadable bytes are known by their digest, so a redelivery is a duplicate
        digest = blake2b(body, digest_size=16).hexdigest()
        return Address(subscription=inlet.id, topic=inlet.topic, event=f"bytes:{digest}")
    key, sequence = envelope.key, envelope.sequence
    if key is None or sequence is None or envelope.topic != inlet.topic:  # another topic's numbers say nothing here
        return Address(subscription=inlet.id, topic=inlet.topic, event=envelope.id)
    return Address(subscription=inlet.id, topic=inlet.topic, event=envelope.id, key=key, sequence=sequence)


@frozen
class Arrival:
    """An event from the wire or from its own waiting row. `envelope` is None when the bytes are unreadable.

    `recording` is filled by the attempt that is made of it, if one is.
    """

    inlet: Inlet
    body: bytes
    envelope: Envelope | None
    waiting: Waiting | None = None
    recording: Recording = field(init=False, factory=Recording, eq=False)
    address: Address = field(
        init=False, default=Factory(lambda self: _address(self.inlet, self.body, self.envelope), takes_self=True)
    )

    @property
    def taken_up(self) -> bool:
        """Tell whether it comes from its own waiting row; the row of bytes that became readable is another's."""
        return self.waiting is not None and self.waiting.address.event == self.address.event

    @property
    def attempts(self) -> int:
        """Return how often it has been tried before."""
        return 0 if self.waiting is None else self.waiting.attempts

    def since(self, now: datetime) -> datetime:
        """Return when the inbox first held it; `now` if it does not yet."""
        return now if self.waiting is None else self.waiting.since

    def held(self, reason: WaitingReason, *, now: datetime) -> Waiting:
        """Return its waiting row as it is held without an attempt."""
        waiting = self.waiting
        return Waiting(
            address=self.address,
            reason=reason,
            body=self.body,
            since=self.since(now),
            attempts=self.attempts,
            history=() if waiting is None else waiting.history,
            replayed=waiting is not None and waiting.replayed,
        )

    def tried(self, plan: Hold, *, now: datetime) -> Waiting:
        """Return its waiting row after one more attempt."""
        return Waiting(
            address=self.address,
            reason=WaitingReason.RETRY,
            body=self.body,
            since=self.since(now),
            due=now + plan.wait,
            attempts=self.attempts + 1,
            history=self._history(plan.error),
            replayed=self.waiting is not None and self.waiting.replayed,
        )

    def letter(self, plan: Bury, *, id: str, now: datetime) -> DeadLetter:
        """Return the dead letter that it becomes."""
        return DeadLetter(
            id=id,
            side="inbox",
            destination=self.inlet.id,
            topic=self.inlet.topic,
            key=self.address.key,
            sequence=self.address.sequence,
            event=self.address.event,
            type=None if self.envelope is None else self.envelope.type,
            body=self.body,
            cause=bounded(plan.cause),
            history=self._history(plan.cause),
            attempts=self.attempts + 1,
            blocks=plan.blocks,
            # Never before it was held, though a clock be set back: by this moment replays are told apart.
            at=max(now, self.since(now)),
            recording=encoded_recording(self.recording, self.inlet.secrets),
        )

    def _history(self, error: str) -> tuple[str, ...]:
        return extended(() if self.waiting is None else self.waiting.history, error)


@define
class Delivery:
    """One try to deliver an arrival, and what was decided about it, kept until its unit has committed.

    A unit may be started over: `admit` forgets what an earlier one decided. `settles` is the address that will count
    as done. `replay` is a second one, of a replay's own: a twin that still holds the replay's row finds it there.
    `is_begun`: a unit of its own has begun, so its handler may have run.
    """

    arrival: Arrival
    admission: Admission = Admission.DUPLICATE
    state: InboxState = _UNKNOWN
    replay: Address | None = None
    is_begun: bool = False
    settles: Address = field(init=False, default=Factory(lambda self: self.arrival.address, takes_self=True))

    async def admit(self, inbox: Inbox, *, now: datetime) -> bool:
        """Decide; write what follows unless it is the event's turn, which is for the caller to use."""
        arrival, inlet = self.arrival, self.arrival.inlet
        self.is_begun = True
        # Nothing is kept from a unit that was started over: a twin may have applied the event in between.
        self.settles, self.replay = arrival.address, None
        self.state = await inbox.state(arrival.address)
        self.admission = decide_admission(
            arrival.address, self.state, start=inlet.start, bound=inlet.parked_limit, taken_up=arrival.taken_up
        )
        if arrival.waiting is not None and arrival.waiting.replayed and arrival.taken_up:
            await self._admit_replay(inbox, replay_address(arrival.waiting))
        match self.admission:
            case Admission.APPLY:
                return True
            case Admission.GAP | Admission.BEHIND:
                await inbox.hold(arrival.held(await self._reason(inbox), now=now))
                # `hold` has replaced its own row; one under another address held the same bytes while they were
                # unreadable.
                await self._drop(inbox, unless_own=True)
            case Admission.DUPLICATE:
                await self._drop(inbox)
            case Admission.PAUSE:
                pass  # the caller refuses the message: nothing is written
            case _:
                assert_never(self.admission)
        return False

    async def settle(self, inbox: Inbox, outcome: str) -> None:
        """Write the inbox row of an admitted event; its handler may follow in the same transaction."""
        await inbox.settled(self.settles, outcome)
        if self.replay is not None and self.replay != self.settles:
            await inbox.settled(self.replay, outcome)
        await self._drop(inbox)

    async def write(self, inbox: Inbox, plan: Plan, *, letter_id: str, now: datetime) -> None:
        """Write what a plan says about an admitted event."""
        match plan:
            case Settle(outcome):
                await self.settle(inbox, outcome)
            case Hold():
                await self._baseline(inbox)
                await inbox.hold(self.arrival.tried(plan, now=now))
                await self._drop(inbox, unless_own=True)
            case Bury():
                # A replay whose key went on without it heads nothing: a block would swallow the next number.
                plan = evolve(plan, blocks=plan.blocks and self.settles == self.arrival.address)
                await inbox.bury(self.arrival.letter(plan, id=letter_id, now=now))
                if plan.blocks:
                    await self._baseline(inbox)
                    await self._drop(inbox, unless_own=True)
                else:
                    await self.settle(inbox, "dead")
            case _:
                assert_never(plan)

    async def _admit_replay(self, inbox: Inbox, replay: Address) -> None:
        """Let a replay through once, also when its event is settled: its key had gone on without it."""
        self.replay = replay
        if (await inbox.state(replay)).seen:
            self.admission = Admission.DUPLICATE
        elif self.state.seen:
            self.settles, self.admission = replay, Admission.APPLY

    async def _baseline(self, inbox: Inbox) -> None:
        address = self.settles
        if address.sequence is not None and self.state.mark is None:
            await inbox.settled(baseline_address(address, address.sequence), "baseline")

    async def _drop(self, inbox: Inbox, *, unless_own: bool = False) -> None:
        waiting = self.arrival.waiting
        if waiting is not None and not (unless_own and self.arrival.taken_up):
            await inbox.drop(waiting.address)

    async def _reason(self, inbox: Inbox) -> WaitingReason:
        """Tell a missing number from a head that is here and waits for its next attempt."""
        address = self.arrival.address
        if self.admission is Admission.BEHIND or address.key is None or address.sequence is None:
            return WaitingReason.BEHIND
        head = await inbox.next_in_line(address.subscription, address.topic, address.key)
        # Only a gap is reported as one: where the head is here and waits, nobody has to look for it.
        first = mark_before(address.sequence, self.state, start=self.arrival.inlet.start) + 1
        return WaitingReason.BEHIND if head is not None and head.address.sequence == first else WaitingReason.GAP
