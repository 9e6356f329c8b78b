"""Both stores give the same answers to any history of the same operations.

The operations are data that Hypothesis draws and shrinks; each runs on both stores and every answer is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, assert_never

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.dispatch import AgendaEntry, AgendaItem, Ledger
from effect_runtime.errors import EventsPurged
from effect_runtime.integration import encode_message
from effect_runtime.outbox._ports import Address, Claimed, Kept, Route, Settlement, Waiting, WaitingReason
from effect_runtime.outbox.memory import MemoryStore
from tests.outbox.stores.test_retention_store import purge
from tests.outbox.stores.world import (
    LEASE,
    NOTHING,
    SIMULATED,
    AnyStore,
    AnyUnit,
    ManualTime,
    a_letter,
    a_store,
    an_answer,
    an_audit,
    an_event,
    claim,
    put,
    rows,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio

DESTINATIONS = ("catalog", "mail")
REACTIONS = ("notify", "remind")
SUBSCRIPTIONS = ("catalog.loans", "mail.loans")

keys = st.sampled_from(["a", "b", None])
numbers = st.integers(1, 3)


@define
class Run:
    """One store under test and what the operations have to remember about it."""

    store: AnyStore
    time: ManualTime
    claims: list[Claimed] = field(factory=list)
    loans: list[AgendaEntry] = field(factory=list)
    made: int = 0
    replays: int = 0

    def new_id(self) -> str:
        """Return an id for a new event."""
        self.made += 1
        return f"e-{self.made}"


@frozen
class Publish:
    """Commit or abort a unit with rows and events; part of it inside a savepoint that may be undone."""

    events: Sequence[str | None]
    row: str
    undone: str | None
    commits: bool
    answers: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        async with run.store.unit() as unit:
            answer = await unit.claim(self.row, b"print")
            await put(unit.session, self.row, "kept")
            if self.undone is not None:
                savepoint = await unit.savepoint()
                await put(unit.session, self.undone, "undone")
                await unit.rollback_to(savepoint)
            seen = await rows(unit.session)
            events = tuple(an_event(run.new_id(), key) for key in self.events)
            if not self.commits:
                return answer, seen
            ledger = Ledger(
                audit=an_audit(self.row),
                answer=an_answer(self.row) if self.answers and answer is None else None,
                events=events,
            )
            return answer, seen, await unit.commit(ledger)


@frozen
class Register:
    """Register a route."""

    destination: str
    earliest: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        try:
            await run.store.register([Route("loans", self.destination, self.earliest)])
        except EventsPurged as error:
            return str(error)
        return None


@frozen
class Claim:
    """Claim lanes and remember the loans."""

    lanes: int
    events: int
    destinations: Sequence[str]

    async def on(self, run: Run) -> object:
        """Run it."""
        claims = await claim(run.store, lanes=self.lanes, events=self.events, destinations=self.destinations)
        run.claims.extend(claims)
        return claims


@frozen
class Settle:
    """Settle one of the loans so far, stale or not, perhaps for the second time."""

    which: int
    accepted: int
    then: Literal["release", "retry", "quarantine"]
    spend: bool
    block: bool
    wait: int

    async def on(self, run: Run) -> object:
        """Run it."""
        if not run.claims:
            return None
        loan = run.claims[self.which % len(run.claims)]
        settlement = Settlement(
            lane=loan.lane,
            token=loan.token,
            accepted=min(self.accepted, len(loan.envelopes)),
            then=self.then,
            due=run.time.now() + timedelta(seconds=self.wait),
            spend=self.spend,
            error="no",
            block=self.block,
        )
        return await run.store.settle([settlement])


@frozen
class Pass:
    """Let time pass."""

    seconds: int

    async def on(self, run: Run) -> object:
        """Run it."""
        run.time.pass_(timedelta(seconds=self.seconds))
        return None


@frozen
class Receive:
    """Do something in the inbox, in a unit that commits or not."""

    what: Literal["settled", "hold", "bury", "drop", "unblock", "next"]
    subscription: str
    key: str | None
    sequence: int
    reason: WaitingReason
    due: bool
    blocks: bool
    commits: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        event = f"m-{self.key}-{self.sequence}"
        address = Address(
            subscription=self.subscription,
            topic="loans",
            event=event,
            key=self.key,
            sequence=None if self.key is None else self.sequence,
        )
        async with run.store.unit() as unit:
            before = await unit.inbox.state(address)
            answer = await self._step(run, unit, address)
            after = await unit.inbox.state(address)
            if self.commits:
                await unit.commit(NOTHING)
        return before, answer, after

    async def _step(self, run: Run, unit: AnyUnit, address: Address) -> object:
        now = run.time.now()
        match self.what:
            case "settled":
                await unit.inbox.settled(address, "applied")
            case "hold":
                due = now if self.due else None
                held = Waiting(address=address, reason=self.reason, body=b"body", since=now, due=due)
                await unit.inbox.hold(held)
            case "bury":
                letter = evolve(
                    a_letter(address.event, self.sequence, blocks=self.blocks),
                    id=f"letter {run.new_id()}",
                    destination=address.subscription,
                    key=address.key,
                    sequence=address.sequence,
                )
                await unit.inbox.bury(letter)
            case "drop":
                await unit.inbox.drop(address)
            case "unblock":
                await unit.inbox.unblock(address.subscription, "loans", self.key or "a")
            case "next":
                return await unit.inbox.next_in_line(address.subscription, "loans", self.key or "a")
        return None


@frozen
class ClaimWaiting:
    """Claim waiting rows."""

    limit: int
    subscriptions: Sequence[str]

    async def on(self, run: Run) -> object:
        """Run it."""
        return await run.store.claim_waiting(
            owner="worker", limit=self.limit, lease=LEASE, subscriptions=self.subscriptions
        )


@frozen
class Add:
    """Add items to the agenda: with the ledger, or step by step, in a unit that commits or not."""

    items: Sequence[tuple[str, str, str | None, int | None]]
    stepwise: bool
    commits: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        now = run.time.now()
        items = tuple(
            AgendaItem(
                reaction=reaction,
                envelope=an_event(id, key, topic="queue"),
                due=None if wait is None else now + timedelta(seconds=wait),
            )
            for id, reaction, key, wait in self.items
        )
        async with run.store.unit() as unit:
            for item in items if self.stepwise else ():
                await unit.agenda.add(item)
            found = [await unit.agenda.find(item.envelope.id) for item in items]
            if self.commits:
                await unit.commit(NOTHING if self.stepwise else Ledger(agenda=items))
        return found


@frozen
class ClaimAgenda:
    """Claim entries and remember the loans."""

    limit: int
    reactions: Sequence[str]

    async def on(self, run: Run) -> object:
        """Run it."""
        entries = await run.store.claim_agenda(owner="worker", limit=self.limit, lease=LEASE, reactions=self.reactions)
        run.loans.extend(entries)
        if not run.replays:
            expect_heads_due(await run.store.agenda_entries())
        return entries


def expect_heads_due(entries: Sequence[AgendaEntry]) -> None:
    """Fail unless of each lane the first entry, and no other, has a due time; what is lent has one."""
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        key = entry.item.envelope.key
        behind = key is not None and (entry.item.reaction, key) in seen
        assert (entry.due is None) == behind
        assert not (entry.is_lent and behind)
        if key is not None:
            seen.add((entry.item.reaction, key))


@frozen
class EndLoan:
    """End one of the loans so far, stale or not, in a unit that commits or not."""

    which: int
    how: Literal["take", "retry", "release", "bury"]
    wait: int
    commits: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        if not run.loans:
            return None
        loan = run.loans[self.which % len(run.loans)]
        id = loan.item.envelope.id
        async with run.store.unit() as unit:
            before = await unit.agenda.find(id)
            done = await self._step(run, unit, loan)
            after = await unit.agenda.find(id)
            if self.commits:
                await unit.commit(NOTHING)
        fresh = before is not None and before.is_lent and before.token == loan.token
        assert done == fresh, "only the present loan ends"
        assert done or after == before, "a stale loan writes nothing"
        return done, after

    async def _step(self, run: Run, unit: AnyUnit, loan: AgendaEntry) -> bool:
        id, token = loan.item.envelope.id, loan.token
        match self.how:
            case "take":
                return await unit.agenda.take(id, token)
            case "retry":
                due = run.time.now() + timedelta(seconds=self.wait)
                return await unit.agenda.retry(id, token, due=due, error="no")
            case "release":
                return await unit.agenda.release(id, token)
            case "bury":
                letter = evolve(
                    a_letter(id, blocks=False),
                    id=f"letter {run.new_id()}",
                    side="agenda",
                    destination=loan.item.reaction,
                    key=loan.item.envelope.key,
                    body=encode_message(loan.item.envelope).body,
                    recording=b"[]",
                )
                return await unit.agenda.bury(id, token, letter)
        assert_never(self.how)


@frozen
class Change:
    """Cancel or reschedule an item, in a unit that commits or not."""

    id: str
    wait: int | None
    commits: bool

    async def on(self, run: Run) -> object:
        """Run it."""
        async with run.store.unit() as unit:
            if self.wait is None:
                done = await unit.agenda.cancel(self.id)
            else:
                done = await unit.agenda.reschedule(self.id, run.time.now() + timedelta(seconds=self.wait))
            if self.commits:
                await unit.commit(NOTHING)
        return done


@frozen
class Close:
    """Close one of the letters so far."""

    which: int
    state: Literal["replayed", "discarded"]

    async def on(self, run: Run) -> object:
        """Run it."""
        letters = await run.store.dead_letters(state=None)
        if not letters:
            return None
        run.replays += self.state == "replayed"
        return await run.store.close_dead_letter(letters[self.which % len(letters)].id, self.state)


@frozen
class Purge:
    """Forget what is old of one kind, in steps of a size."""

    kept: Kept
    age: int
    limit: int

    async def on(self, run: Run) -> object:
        """Run it."""
        return await purge(run.store, self.kept, run.time.now() - timedelta(seconds=self.age), limit=self.limit)


named = st.lists(st.sampled_from(DESTINATIONS), min_size=1, max_size=2, unique=True)
publishes = st.builds(
    Publish,
    events=st.lists(keys, max_size=3),
    row=st.sampled_from("xyz"),
    undone=st.none() | st.sampled_from("xyz"),
    commits=st.integers(0, 4).map(bool),
    answers=st.booleans(),
)
settles = st.builds(
    Settle,
    which=st.integers(0, 9),
    accepted=st.integers(0, 3),
    then=st.sampled_from(["release", "retry", "quarantine"]),
    spend=st.booleans(),
    block=st.booleans(),
    wait=st.integers(0, 20),
)
receives = st.builds(
    Receive,
    what=st.sampled_from(["settled", "hold", "bury", "drop", "unblock", "next"]),
    subscription=st.sampled_from(SUBSCRIPTIONS),
    key=keys,
    sequence=numbers,
    reason=st.sampled_from(WaitingReason),
    due=st.booleans(),
    blocks=st.booleans(),
    commits=st.integers(0, 4).map(bool),
)
claims = st.builds(Claim, lanes=st.integers(1, 4), events=st.integers(1, 3), destinations=named)
registers = st.builds(Register, st.sampled_from(DESTINATIONS), st.booleans())
claims_waiting = st.builds(
    ClaimWaiting,
    limit=st.integers(1, 3),
    subscriptions=st.lists(st.sampled_from(SUBSCRIPTIONS), min_size=1, max_size=2, unique=True),
)
ids = st.sampled_from([f"i-{number}" for number in range(6)])
adds = st.builds(
    Add,
    items=st.lists(
        st.tuples(ids, st.sampled_from(REACTIONS), keys, st.none() | st.integers(-5, 20)), min_size=1, max_size=4
    ),
    stepwise=st.booleans(),
    commits=st.integers(0, 4).map(bool),
)
claims_agenda = st.builds(
    ClaimAgenda,
    limit=st.integers(1, 4),
    reactions=st.lists(st.sampled_from(REACTIONS), min_size=1, max_size=2, unique=True),
)
ends = st.builds(
    EndLoan,
    which=st.integers(0, 9),
    how=st.sampled_from(["take", "retry", "release", "bury"]),
    wait=st.integers(0, 20),
    commits=st.integers(0, 4).map(bool),
)
changes = st.builds(Change, ids, st.none() | st.integers(-5, 20), st.integers(0, 4).map(bool))
passes = st.builds(Pass, st.sampled_from([1, 10, 40]))
closes = st.builds(Close, which=st.integers(0, 9), state=st.sampled_from(["replayed", "discarded"]))

purges = st.builds(Purge, st.sampled_from(Kept), st.integers(0, 20), st.integers(1, 3))

outbox_side = st.one_of(publishes, registers, claims, settles, passes, closes, purges)
inbox_side = st.one_of(receives, receives, claims_waiting, passes, closes, purges)
agenda_side = st.one_of(adds, claims_agenda, ends, ends, changes, passes, closes)
sides = (outbox_side, inbox_side, agenda_side, st.one_of(outbox_side, inbox_side, agenda_side))
histories = st.one_of(*(st.lists(side, max_size=30) for side in sides))


async def everything(store: AnyStore) -> dict[str, Any]:
    """Return all that a store can be asked."""
    async with store.reading() as session:
        kept = await rows(session)
    return {
        "rows": kept,
        "answers": [await store.answer(id) for id in "xyz"],
        "audit": await store.audit_trail(),
        "due": [await store.next_due([destination]) for destination in DESTINATIONS],
        "backlog": [await store.backlog([destination], limit=7) for destination in DESTINATIONS],
        "waiting": [await store.next_waiting([subscription]) for subscription in SUBSCRIPTIONS],
        "gaps": await store.stale_gaps(timedelta(seconds=5)),
        "agenda": [await store.agenda_entries(names) for names in (None, ["remind"])],
        "agenda due": [await store.next_agenda([reaction]) for reaction in REACTIONS],
        "agenda backlog": [await store.agenda_backlog(names, limit=4) for names in (None, ["notify"])],
        "reactions": await store.agenda_reactions(),
        "letters": await store.dead_letters(state=None),
    }


@pytest.mark.parametrize("kind", ["sqlite", *SIMULATED])
@given(history=histories)
async def test_memory_and_every_other_store_agree_on_every_history(kind: str, history: list[Any]) -> None:
    """Whatever is done, in whatever order, no caller can tell the stores apart."""
    one, two = ManualTime(), ManualTime()
    with TemporaryDirectory() as folder:
        other = sqlite_store(Path(folder), commits="inline") if kind == "sqlite" else a_store(kind, Path(folder))
        async with MemoryStore().opened(still_host(one)) as memory, other.opened(still_host(two)) as opened:
            first, second = Run(memory, one), Run(opened, two)
            for operation in history:
                assert await operation.on(first) == await operation.on(second), operation
                # No two moments are alike, so "oldest first" has one meaning.
                one.pass_(timedelta(microseconds=1))
                two.pass_(timedelta(microseconds=1))
            assert await everything(memory) == await everything(opened)
