"""The relay: borrows lanes, publishes them head first, and settles what was accepted.

Within a lane the next event is published only after the previous one was accepted; windows span lanes. Decisions are
in `_lanes` and `_breaker`, the loop in `_pump`. It knows no SQL and no broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import assert_never

from anyio import move_on_after
from attrs import define, field, frozen

from effect_runtime.errors import (
    DestinationUnavailable,
    MessageRejected,
    PartitionPaused,
    StoreConflict,
    StoreDown,
    TransactionLost,
)
from effect_runtime.integration import Envelope, Message, Transport, encode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox._breaker import Breaker, BreakerEvent, BreakerState
from effect_runtime.outbox._lanes import Ending, Paused, Rejected, RelayPolicy, Through, Unavailable, plan
from effect_runtime.outbox._ports import Claimed, RelayStore, Settlement
from effect_runtime.outbox._pump import Crew, Pace, Pump
from effect_runtime.outbox._text import described
from effect_runtime.outbox._trouble import is_stray
from effect_runtime.outbox._wake import Wake, Watch


@frozen(kw_only=True)
class RelayCounts:
    """What a relay has done since it was made.

    `published` counts tries and `accepted` those that came through. `unavailable`, `paused` and `rejected` count what
    stopped a lane; `retried` and `quarantined` what became of rejected heads; `stale` settlements whose lease had been
    lent on.
    """

    published: int = 0
    accepted: int = 0
    unavailable: int = 0
    paused: int = 0
    rejected: int = 0
    retried: int = 0
    quarantined: int = 0
    stale: int = 0


@frozen(eq=False)
class _Loan:
    """A claimed lane, and the reading of the monotonic clock at which its lease must be taken as over."""

    claimed: Claimed
    ends: float


@define(eq=False)
class _Outlet:
    """One destination's share of a relay: its breaker, its loans, and outcomes not yet recorded."""

    destination: str
    owner: str
    store: RelayStore
    transport: Transport
    host: Host
    policy: RelayPolicy
    tally: Counter[str]
    breaker: Breaker = field(factory=Breaker)
    loans: list[_Loan] = field(factory=list)
    outcomes: list[Settlement] = field(factory=list)

    async def claim(self, free: int) -> Sequence[_Loan]:
        """Borrow lanes as far as the breaker allows."""
        asked = self.host.time.monotonic()
        self.breaker = self.breaker.waited(asked)
        probing = self.breaker.state is BreakerState.PROBING
        # One probe in all: lanes that were out when the breaker opened count, or trouble would be met by all of them.
        lanes = min(free, self.breaker.lanes(free) - (len(self.loans) if probing else 0))
        if lanes <= 0:
            return ()
        claimed = await self.store.claim(
            owner=self.owner,
            lanes=lanes,
            events=1 if probing else self.policy.events_per_lane,
            lease=self.policy.lease,
            destinations=(self.destination,),
        )
        # Counted from before the claim was sent: the store's lease cannot end earlier.
        ends = asked + self.policy.lease.total_seconds()
        loans = [_Loan(each, ends) for each in claimed]
        self.loans += loans
        return loans

    async def work(self, item: _Loan) -> None:
        """Publish a lane's events one after the other until one does not come through."""
        accepted = 0
        ending: Ending = Through()
        try:
            # Cancelled in between, `ending` is still what it was: what was accepted counts, and the next head is not
            # blamed.
            for envelope in item.claimed.envelopes:
                if not self._may_publish(item, is_first=accepted == 0):
                    break
                ending = await self._publish(envelope, within=item.ends - self.host.time.monotonic())
                self._count(ending)
                if not isinstance(ending, Through):
                    break
                accepted += 1
        finally:
            # No await: a cancelled lane, too, leaves what was accepted to the last flush.
            self._end(item, accepted, ending)

    async def flush(self) -> None:
        """Settle all finished loans in one batch."""
        if not self.outcomes:
            return
        # Taken off before the await: lanes that end while it lasts belong to the next batch.
        batch, self.outcomes = self.outcomes, []
        try:
            stale = await self.store.settle(batch)
        except (StoreConflict, StoreDown, TransactionLost):
            self.outcomes[:0] = batch  # nothing was written
            raise
        # After any other error the batch may be written: settling it twice would skip events, so its leases run out.
        self.tally["stale"] += len(stale)

    async def close(self) -> None:
        """Settle everything: work that was cancelled has left its outcome, too."""
        await self.flush()

    async def due_in(self) -> float | None:
        """Return the seconds until the breaker lets a lane through, or until the next lane is due."""
        if self.breaker.state is BreakerState.OPEN:
            # The store would say `now`: what we hold back from is due there, for relays that can reach the destination.
            return max(0.0, self.breaker.until - self.host.time.monotonic())
        if self.breaker.state is BreakerState.PROBING and self.loans:
            return None  # the probe's end will ring
        due = await self.store.next_due((self.destination,))
        return None if due is None else (due - self.host.time.now()).total_seconds()

    def _may_publish(self, loan: _Loan, *, is_first: bool) -> bool:
        # Opened by another lane while this one was under way: stop between two events rather than ask in vain.
        if self.breaker.state is BreakerState.OPEN:
            return False
        needed = self.policy.margin if is_first else self.policy.publish_within
        return self.host.time.monotonic() + needed.total_seconds() < loan.ends

    async def _publish(self, envelope: Envelope, *, within: float) -> Ending:
        try:
            message = encode_message(envelope)
        except Exception as error:
            return Rejected(described(error))
        self.tally["published"] += 1
        seconds = min(within, self.policy.publish_within.total_seconds())
        # What holds if the scope cuts the call off: silence is trouble of the destination, never of the event.
        ending: Ending = Unavailable(f"no answer within {seconds:.1f} s")
        with move_on_after(seconds):
            ending = await self._asked(message)
        self._learn(ending)
        return ending

    async def _asked(self, message: Message) -> Ending:
        try:
            await self.transport.publish(self.destination, message)
        # First, because it is a `DestinationUnavailable`, too: one full key must not open the breaker for all.
        except PartitionPaused as error:
            return Paused(str(error))
        except DestinationUnavailable as error:
            return Unavailable(error.reason)
        except MessageRejected as error:
            return Rejected(str(error))
        except OSError as error:  # TimeoutError, too
            return Unavailable(described(error))
        except Exception as error:  # an adapter's defect: attempts bound it, and other lanes go on
            return Rejected(described(error))
        except BaseException as error:
            if not is_stray(error):
                raise
            return Unavailable(f"{described(error)}: nobody cancelled it")  # a connection that was lost, most likely
        return Through()

    def _learn(self, ending: Ending) -> None:
        now = self.host.time.monotonic()
        if isinstance(ending, Unavailable):
            chance = self.host.entropy.random()
            self.breaker = self.breaker.after(BreakerEvent.TROUBLE, now=now, chance=chance, reason=ending.reason)
        else:
            self.breaker = self.breaker.after(BreakerEvent.ANSWERED, now=now)

    def _count(self, ending: Ending) -> None:
        match ending:
            case Through():
                self.tally["accepted"] += 1
            case Unavailable():
                self.tally["unavailable"] += 1
            case Paused():
                self.tally["paused"] += 1
            case Rejected():
                self.tally["rejected"] += 1
            case _:
                assert_never(ending)

    def _end(self, loan: _Loan, accepted: int, ending: Ending) -> None:
        chance, now = self.host.entropy.random(), self.host.time.now()
        settlement = plan(loan.claimed, accepted, ending, now=now, policy=self.policy, chance=chance)
        if settlement.spend:
            self.tally["retried" if settlement.then == "retry" else "quarantined"] += 1
        self.loans.remove(loan)
        self.outcomes.append(settlement)


class Relay:
    """Carry committed events from one store to their destinations; owned by whoever runs the application.

    Each destination has its own loop, window and breaker, so trouble of one delays no other.
    """

    def __init__(
        self,
        store: RelayStore,
        transport: Transport,
        destinations: Sequence[str],
        *,
        host: Host,
        wake: Wake,
        policy: RelayPolicy | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.transport = transport
        self._tally: Counter[str] = Counter()
        owner = str(host.entropy.uuid())
        self._outlets = tuple(
            _Outlet(each, owner, store, transport, host, policy or RelayPolicy(), self._tally) for each in destinations
        )
        pace, bell = pace or Pace(), Wake()
        # One watch rings for all outlets: each poll is a statement on the store.
        watch = Watch(store.version, bell, host, pace.busy_poll, pace.idle_poll)
        pumps = [
            Pump(each, host=host, pace=pace, wake=bell, watch=watch if number == 0 else None)
            for number, each in enumerate(self._outlets)
        ]
        self._crew = Crew(pumps, wake=wake, bell=bell)

    @property
    def counts(self) -> RelayCounts:
        """Return what it has done so far."""
        return RelayCounts(**self._tally)

    @property
    def breakers(self) -> Mapping[str, Breaker]:
        """Return the breaker of each destination."""
        return {each.destination: each.breaker for each in self._outlets}

    @property
    def trouble(self) -> tuple[str, ...]:
        """Return what keeps its loops from the store, if anything does."""
        return self._crew.trouble

    @property
    def is_calm(self) -> bool:
        """Tell whether every loop has looked, found nothing due, and has not been rung since."""
        return self._crew.is_calm

    async def calm(self) -> None:
        """Wait until it is calm. Only a running relay becomes so."""
        await self._crew.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay while entered. Leaving stops claiming, finishes publishes within the drain, and gives leases back."""
        async with self._crew.running():
            yield
