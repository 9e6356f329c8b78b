"""One volatile queue at work: takes events over after their commit, has them tried, counts what it loses.

The `Source` of a pump. What it holds is kept in `_volatile`, what a failed try means is decided in `_agenda`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol, assert_never, final

from attrs import Factory, define, field

from effect_runtime.dispatch import (
    Acknowledgement,
    Diagnostic,
    EventQueue,
    GivenUp,
    Handled,
    Ledger,
    Lost,
    VolatileItem,
)
from effect_runtime.interpreter import Host
from effect_runtime.outbox._agenda_worker import told_of
from effect_runtime.outbox._consumer import ConsumerPolicy
from effect_runtime.outbox._inbox import Bury, Hold, Settle
from effect_runtime.outbox._ports import DeadLetter, InboxUnit
from effect_runtime.outbox._reaction import Setback, Taker, Try
from effect_runtime.outbox._text import bounded, extended, shown
from effect_runtime.outbox._volatile import VolatileEntry, VolatileLanes
from effect_runtime.outbox._wake import Wake


class LetterStore(Protocol):
    """Where the dead letters of a volatile queue go."""

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Read one dead letter."""
        ...

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[InboxUnit]:
        """Give one unit of work that can store a dead letter."""
        ...


async def _is_ours(unit: object) -> bool:
    """Admit every item: nobody else can have one that is in this process alone."""
    return True


@final
@define(eq=False)
class VolatileQueue:
    """The events of one volatile queue in this process; owned by the running application.

    It holds as many as its capacity. As many more may wait outside of it for its `timeout`; those that find no room in
    that time, and those beyond, are lost.
    """

    queue: EventQueue
    takers: Mapping[str, Taker]
    store: LetterStore
    host: Host
    policy: ConsumerPolicy
    tally: Counter[str]
    ended: Callable[[str, Acknowledgement], None]
    bell: Wake
    diagnose: Callable[[Diagnostic], None] | None = None
    lanes: VolatileLanes[VolatileItem] = field(
        init=False, default=Factory(lambda self: VolatileLanes(self.queue.capacity), takes_self=True)
    )
    outside: deque[tuple[float, VolatileItem]] = field(init=False, factory=deque)

    @property
    def level(self) -> int:
        """Return how many events it has to do with."""
        return len(self.lanes) + len(self.outside)

    def put(self, item: VolatileItem) -> None:
        """Take over one event; never waits."""
        now = self.host.time.monotonic()
        if len(self.outside) >= self.queue.capacity:
            # The newest is lost: those outside before it have been promised their wait for room.
            self._lose(item, "lost_without_room")
        else:
            self.outside.append((now + self.queue.timeout.total_seconds(), item))
        self._let_in(now)
        self.bell.ring()

    def may_end(self, within: timedelta) -> bool:
        """Tell whether any event may still end within a time: because it is in work, or due by then."""
        due = self.lanes.next_due()
        return self.lanes.in_work > 0 or (
            due is not None and due <= self.host.time.monotonic() + within.total_seconds()
        )

    def lose_all(self) -> None:
        """Count whatever is left as lost to the shutdown."""
        left = [entry.item for entry in self.lanes.clear()] + [item for _, item in self.outside]
        self.outside.clear()
        for item in left:
            self._lose(item, "lost_at_shutdown")

    async def claim(self, free: int) -> Sequence[VolatileEntry[VolatileItem]]:
        """Give out events that are due."""
        now = self.host.time.monotonic()
        self._let_in(now)
        return self.lanes.claim(free, now=now)

    async def work(self, item: VolatileEntry[VolatileItem]) -> None:
        """Try one event. After the store's own trouble it is due again when a lease would have ended."""
        now = self.host.time.monotonic()
        attempt = Try(
            self.takers[item.item.reaction],
            _is_ours,
            attempts=item.attempts,
            elapsed=timedelta(seconds=now - item.since),
            chance=self.host.entropy.random(),
        )
        before = item.attempts
        try:
            setback = await attempt.of(item.item, within=self.policy.handle_within)
            letter = await self._concluded(item, setback, attempt)
        except Exception:
            self.lanes.returned(item, due=self.host.time.monotonic() + self.policy.lease.total_seconds())
            raise
        finally:
            self.bell.ring()
        # Outside of the `try`: the event has its place again, and what a user's function raises must not move it.
        if setback is not None:
            self._tell(item, setback, letter, attempts=before)

    async def flush(self) -> None:
        """Do nothing: outcomes are kept at once."""

    async def close(self) -> None:
        """Do nothing: what is left is counted when the drain has ended."""

    async def due_in(self) -> float | None:
        """Return the seconds until the next event is due, or gives up waiting for room."""
        moments = [moment for moment in (self.lanes.next_due(),) if moment is not None]
        moments += [expires for expires, _ in list(self.outside)[:1]]
        return min(moments) - self.host.time.monotonic() if moments else None

    def _let_in(self, now: float) -> None:
        while self.outside:
            expires, item = self.outside[0]
            lane = None if item.envelope.key is None else (item.reaction, item.envelope.key)
            if expires < now:
                self.outside.popleft()
                self._lose(item, "lost_without_room")
            elif self.lanes.offer(item, lane=lane, now=now):
                self.outside.popleft()
            else:
                return

    async def _concluded(
        self, entry: VolatileEntry[VolatileItem], setback: Setback | None, attempt: Try
    ) -> DeadLetter | None:
        """Give an event that was tried its next place, and return the letter that it became."""
        match None if setback is None else setback.plan:
            case None:
                self._end(entry, "handled", Handled())
            case Settle():
                self._end(entry, "ignored", Handled())
            case Hold(wait, error):
                self.tally["retried"] += 1
                self.lanes.failed(entry, due=self.host.time.monotonic() + wait.total_seconds(), error=error)
            case Bury(cause):
                letter = self._letter(entry, cause, attempt)
                await self._stored(letter)
                self._end(entry, "buried", GivenUp((letter.id,)))
                return letter
            case _ as plan:
                assert_never(plan)
        return None

    def _tell(
        self, entry: VolatileEntry[VolatileItem], setback: Setback, letter: DeadLetter | None, *, attempts: int
    ) -> None:
        if self.diagnose is None:
            return
        about = f"{type(entry.item.event).__name__} {entry.item.envelope.id}"
        told = told_of(entry.item.reaction, about, setback, attempts=attempts, letter=letter)
        if told is not None:
            self.diagnose(told)

    async def _stored(self, letter: DeadLetter) -> None:
        if await self.store.dead_letter(letter.id) is not None:
            return  # an earlier commit of it gave no verdict, and stood
        async with self.store.unit() as unit:
            await unit.begin()
            await unit.inbox.bury(letter)  # a store keeps one list of letters; this one holds no place in any inbox
            await unit.commit(Ledger())

    def _letter(self, entry: VolatileEntry[VolatileItem], cause: str, attempt: Try) -> DeadLetter:
        """Write a letter to read: its event was never encoded, so nobody can replay it."""
        envelope = entry.item.envelope
        return DeadLetter(
            id=envelope.id,
            side="agenda",
            destination=entry.item.reaction,
            topic=envelope.topic,
            key=envelope.key,
            sequence=None,
            event=envelope.id,
            type=envelope.type,
            body=bounded(shown(entry.item.event, attempt.taker.secrets)).encode(),
            cause=bounded(cause),
            history=extended(entry.history, cause),
            attempts=entry.attempts + 1,
            blocks=False,
            at=self.host.time.now(),
            recording=attempt.letter_recording(),
        )

    def _end(self, entry: VolatileEntry[VolatileItem], counted: str, ending: Acknowledgement) -> None:
        self.tally[counted] += 1
        now = self.host.time.monotonic()
        self.lanes.ended(entry, now=now)
        self._let_in(now)
        self.ended(entry.item.envelope.id, ending)

    def _lose(self, item: VolatileItem, counted: str) -> None:
        self.tally[counted] += 1
        self.ended(item.envelope.id, Lost())
