"""The duties of `Inbox` and `InboxStore`: what is settled, what waits, and what is due when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from attrs import evolve

from effect_runtime.errors import UnitEnded
from effect_runtime.outbox._ports import InboxState, Waiting, WaitingReason
from tests.outbox.stores.world import (
    LEASE,
    NOON,
    NOTHING,
    AnyStore,
    AnyUnit,
    ManualTime,
    a_letter,
    address,
    waiting,
)

pytestmark = pytest.mark.anyio

T = TypeVar("T")
SUBSCRIPTION = ["catalog.loans"]
LINE = ("catalog.loans", "loans", "k")


async def within(store: AnyStore, step: Callable[[AnyUnit], Awaitable[T]]) -> T:
    """Do one step in a unit and commit it."""
    async with store.unit() as unit:
        result = await step(unit)
        await unit.commit(NOTHING)
    return result


async def hold(store: AnyStore, *held: Waiting) -> None:
    """Hold some events."""
    async with store.unit() as unit:
        for each in held:
            await unit.inbox.hold(each)
        await unit.commit(NOTHING)


async def claim(store: AnyStore, limit: int = 10) -> tuple[Waiting, ...]:
    """Claim as the consumer's worker does."""
    return await store.claim_waiting(owner="worker", limit=limit, lease=LEASE, subscriptions=SUBSCRIPTION)


async def test_nothing_is_known_of_a_new_key(store: AnyStore) -> None:
    """Inbox.state: a new event of a new key."""
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert state == InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)


async def test_settling_makes_a_second_delivery_a_duplicate_and_moves_the_mark(store: AnyStore) -> None:
    """Inbox 1: the row, and the mark where it is higher."""
    await within(store, lambda unit: unit.inbox.settled(address("e-3", 3), "applied"))
    await within(store, lambda unit: unit.inbox.settled(address("e-2", 2), "skipped"))
    seen = await within(store, lambda unit: unit.inbox.state(address("e-3", 3)))
    assert seen == InboxState(seen=True, held=False, mark=3, blocked=False, waiting=0)


async def test_subscriptions_do_not_share_what_they_have_seen(store: AnyStore) -> None:
    """Address: delivery is settled per subscription."""
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    other = evolve(address("e-1"), subscription="mail.loans")
    state = await within(store, lambda unit: unit.inbox.state(other))
    assert state == InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)


async def test_an_event_without_a_key_moves_no_mark(store: AnyStore) -> None:
    """Inbox 1: unkeyed events are only seen or not."""
    unkeyed = address("e-1", None, key=None)
    await within(store, lambda unit: unit.inbox.settled(unkeyed, "applied"))
    state = await within(store, lambda unit: unit.inbox.state(unkeyed))
    assert state == InboxState(seen=True, held=False, mark=None, blocked=False, waiting=0)


async def test_what_a_rolled_back_unit_settled_is_not_settled(store: AnyStore) -> None:
    """Inbox: every method reads and writes in the unit's transaction."""
    async with store.unit() as unit:
        await unit.inbox.settled(address("e-1"), "applied")
        savepoint = await unit.savepoint()
        await unit.inbox.hold(waiting("e-2", 2))
        await unit.rollback_to(savepoint)
        state = await unit.inbox.state(address("e-2", 2))
        assert state == InboxState(seen=False, held=False, mark=1, blocked=False, waiting=0)
    after = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert after == InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)


async def test_the_next_number_becomes_due_when_the_gap_closes(store: AnyStore, time: ManualTime) -> None:
    """Inbox 1: in the same step the waiting event of the next number becomes due; later ones do not."""
    await hold(store, waiting("e-3", 3), waiting("e-2", 2))
    assert (await claim(store), await store.next_waiting(SUBSCRIPTION)) == ((), None)
    time.pass_(timedelta(seconds=1))
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    assert await store.next_waiting(SUBSCRIPTION) == time.now()
    assert await claim(store) == (waiting("e-2", 2, due=time.now()),)


async def test_the_successor_of_a_blocked_key_does_not_become_due(store: AnyStore) -> None:
    """Inbox 1: not while the key is blocked."""
    await hold(store, waiting("e-3", 3, WaitingReason.BEHIND))
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-2", 2)))
    await within(store, lambda unit: unit.inbox.settled(address("e-2", 2), "discarded"))
    assert await claim(store) == ()
    await within(store, lambda unit: unit.inbox.unblock(*LINE))
    assert await claim(store) == (waiting("e-3", 3, WaitingReason.BEHIND, due=NOON),)


async def test_settling_ends_the_events_own_wait(store: AnyStore) -> None:
    """Inbox 1: what is done does not wait any more."""
    await hold(store, waiting("e-1", 1, WaitingReason.RETRY, due=NOON))
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    assert await claim(store) == ()
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert state == InboxState(seen=True, held=False, mark=1, blocked=False, waiting=0)


async def test_holding_again_replaces_what_was_held(store: AnyStore) -> None:
    """Inbox 2: one waiting row for one address, and a new hold ends the lease of the old one."""
    await hold(store, waiting("e-1", 1, WaitingReason.RETRY, due=NOON))
    assert await claim(store) == (waiting("e-1", 1, WaitingReason.RETRY, due=NOON),)
    again = evolve(waiting("e-1", 1, WaitingReason.RETRY, due=NOON), attempts=3, history=("third",), replayed=True)
    await hold(store, again)
    assert await claim(store) == (again,)
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert state == InboxState(seen=False, held=True, mark=None, blocked=False, waiting=1)


async def test_a_dropped_event_waits_no_more(store: AnyStore) -> None:
    """Inbox.drop: removes the row; removing nothing is harmless."""
    await hold(store, waiting("e-1", 1, WaitingReason.RETRY, due=NOON))
    await within(store, lambda unit: unit.inbox.drop(address("e-1")))
    await within(store, lambda unit: unit.inbox.drop(address("e-1")))
    assert (await claim(store), await store.next_waiting(SUBSCRIPTION)) == ((), None)


async def test_the_lowest_number_is_next_in_line(store: AnyStore) -> None:
    """Inbox.next_in_line: by number, not by arrival; None when nobody waits."""
    assert await within(store, lambda unit: unit.inbox.next_in_line(*LINE)) is None
    await hold(store, waiting("e-10", 10), waiting("e-9", 9), waiting("e-11", 11))
    assert await within(store, lambda unit: unit.inbox.next_in_line(*LINE)) == waiting("e-9", 9)


async def test_burying_stores_the_letter_ends_the_wait_and_blocks_the_key(store: AnyStore) -> None:
    """Inbox 3: the letter, its waiting row, its key."""
    await hold(store, waiting("e-1", 1, WaitingReason.RETRY, due=NOON), waiting("e-2", 2, WaitingReason.BEHIND))
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-1")))
    assert await store.dead_letters() == (a_letter("e-1"),)
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert state == InboxState(seen=False, held=False, mark=None, blocked=True, waiting=1)


async def test_a_letter_that_does_not_block_leaves_its_key_alone(store: AnyStore) -> None:
    """Inbox 3: only if it says so; a letter that nobody could decode has no key at all."""
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-1", blocks=False)))
    unreadable = evolve(a_letter("?"), id="raw", topic=None, key=None, sequence=None, event=None, type=None)
    await within(store, lambda unit: unit.inbox.bury(unreadable))
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert state == InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)
    assert await store.dead_letter("raw") == unreadable


async def test_unblocking_a_key_without_a_mark_calls_its_first_event(store: AnyStore) -> None:
    """Inbox.unblock: the lowest number is due, so that the key moves again."""
    await hold(store, waiting("e-5", 5, WaitingReason.BEHIND), waiting("e-6", 6, WaitingReason.BEHIND))
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-4", 4)))
    await within(store, lambda unit: unit.inbox.unblock(*LINE))
    assert await claim(store) == (waiting("e-5", 5, WaitingReason.BEHIND, due=NOON),)


async def test_waiting_rows_are_lent_oldest_first_and_once(store: AnyStore, time: ManualTime) -> None:
    """InboxStore.claim_waiting: each row to one owner until its lease ends."""
    await hold(
        store,
        waiting("e-1", None, WaitingReason.RETRY, due=NOON + timedelta(seconds=2)),
        waiting("e-2", None, WaitingReason.RETRY, due=NOON + timedelta(seconds=1)),
        waiting("e-3", None, WaitingReason.RETRY, due=NOON + timedelta(days=1)),
        waiting("e-4", 4, WaitingReason.GAP),
    )
    time.pass_(timedelta(seconds=2))
    assert [row.address.event for row in await claim(store, limit=1)] == ["e-2"]
    assert [row.address.event for row in await claim(store)] == ["e-1"]
    assert await store.next_waiting(SUBSCRIPTION) == time.now() + LEASE
    time.pass_(LEASE)
    assert [row.address.event for row in await claim(store)] == ["e-1", "e-2"]


async def test_rows_of_other_subscriptions_are_left_alone(store: AnyStore) -> None:
    """InboxStore.claim_waiting: another process of the same store may know them."""
    held = waiting("e-1", 1, WaitingReason.RETRY, due=NOON)
    await hold(store, evolve(held, address=evolve(held.address, subscription="mail.loans")))
    assert (await claim(store), await store.next_waiting(SUBSCRIPTION)) == ((), None)
    assert await store.next_waiting(["mail.loans"]) == NOON


async def test_old_gaps_are_reported(store: AnyStore, time: ManualTime) -> None:
    """InboxStore.stale_gaps: events held for a gap for too long, and no others."""
    await hold(store, waiting("e-3", 3), waiting("e-1", 1, WaitingReason.RETRY, due=NOON))
    time.pass_(timedelta(minutes=10))
    await hold(store, evolve(waiting("e-9", 9), since=time.now()))
    assert await store.stale_gaps(timedelta(minutes=5)) == (waiting("e-3", 3),)
    assert await store.stale_gaps(timedelta(minutes=11)) == ()


async def test_the_inbox_of_an_ended_unit_is_refused(store: AnyStore) -> None:
    """UnitOfWork 7: the inbox ends with its unit."""
    async with store.unit() as unit:
        inbox = unit.inbox
        await inbox.state(address("e-1"))
    with pytest.raises(UnitEnded):
        await inbox.state(address("e-1"))
