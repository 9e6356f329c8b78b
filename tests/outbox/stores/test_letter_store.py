"""The duties of `DeadLetterStore`: listing, and closing in one transaction with the effect on the lane or key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from effect_runtime.outbox._ports import Claimed, Lane, Waiting, WaitingReason
from tests.outbox.stores.test_inbox_store import SUBSCRIPTION, hold, within
from tests.outbox.stores.test_inbox_store import claim as claim_waiting
from tests.outbox.stores.world import (
    CATALOG,
    KEYED,
    LEASE,
    NOON,
    NOTHING,
    AnyStore,
    ManualTime,
    a_letter,
    accepted,
    address,
    an_event,
    claim,
    ids,
    publish,
    refused,
    waiting,
)

pytestmark = pytest.mark.anyio


async def quarantined(store: AnyStore, *, block: bool, key: str | None = "k") -> str:
    """Publish three events, quarantine the first, and return its letter's id."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1", key), an_event("e-2", key), an_event("e-3", key))
    first = (await claim(store))[0]
    await store.settle([refused(first, block=block)])
    ((letter),) = await store.dead_letters()
    return letter.id


async def test_letters_are_listed_oldest_first_by_state(store: AnyStore) -> None:
    """DeadLetterStore.dead_letters: those that are dead, unless another state is asked for."""
    letters = [a_letter("e-1", 1), a_letter("e-2", 2, blocks=False), a_letter("e-3", 3, blocks=False)]
    async with store.unit() as unit:
        for letter in letters:
            await unit.inbox.bury(letter)
        await unit.commit(NOTHING)
    assert await store.close_dead_letter(letters[1].id, "discarded")
    assert await store.dead_letters() == (letters[0], letters[2])
    assert await store.dead_letters(state="discarded") == (evolve(letters[1], state="discarded"),)
    assert await store.dead_letters(state=None, limit=2) == (letters[0], evolve(letters[1], state="discarded"))
    assert await store.dead_letter("nobody") is None


async def test_open_letters_are_told_by_their_ids_in_pages(store: AnyStore) -> None:
    """DeadLetterStore.open_letters: oldest first, by age and destination, behind another one; closed ones are not."""
    first, second, third, fourth = letters = [
        evolve(a_letter(f"e-{number}", number, blocks=False), at=NOON + timedelta(seconds=number))
        for number in range(1, 5)
    ]
    elsewhere = evolve(third, destination="elsewhere", event="e-9")
    async with store.unit() as unit:
        for letter in (first, second, elsewhere, fourth):
            await unit.inbox.bury(letter)
        await unit.commit(NOTHING)
    at = letters[2].at
    assert await store.open_letters(before=fourth.at) == (first.id, second.id, elsewhere.id, fourth.id)
    assert await store.open_letters(before=at, limit=2) == (first.id, second.id)
    assert await store.open_letters(before=at, after=second.id) == (elsewhere.id,)
    assert await store.open_letters(before=at, destination="elsewhere") == (elsewhere.id,)
    await store.close_dead_letter(second.id, "discarded")
    assert await store.open_letters(before=at) == (first.id, elsewhere.id)
    assert await store.open_letters(before=fourth.at, after=second.id) == (elsewhere.id, fourth.id)
    assert await store.open_letters(before=NOON) == ()


async def test_a_letter_is_closed_once(store: AnyStore) -> None:
    """DeadLetterStore.close_dead_letter: False when it was not dead any more, and nothing happens again."""
    id = await quarantined(store, block=True)
    assert await store.close_dead_letter(id, "replayed")
    before = store.version()
    assert not await store.close_dead_letter(id, "discarded")
    assert not await store.close_dead_letter("nobody", "discarded")
    letter = await store.dead_letter(id)
    assert letter is not None
    assert (letter.state, store.version()) == ("replayed", before)


async def test_a_replayed_head_is_due_again_with_no_attempts_spent(store: AnyStore, time: ManualTime) -> None:
    """Outbox side, replayed: the head at once, and its successors behind it."""
    id = await quarantined(store, block=True)
    time.pass_(timedelta(seconds=5))
    await store.close_dead_letter(id, "replayed")
    (claimed,) = await claim(store)
    assert (claimed.lane, claimed.attempts, ids([claimed])) == (KEYED, 0, [["e-1", "e-2", "e-3"]])


async def test_a_discarded_head_lets_its_lane_go_on(store: AnyStore) -> None:
    """Outbox side, discarded: the lane goes on without it."""
    id = await quarantined(store, block=True)
    await store.close_dead_letter(id, "discarded")
    assert ids(await claim(store)) == [["e-2", "e-3"]]


async def test_a_discarded_last_event_leaves_an_idle_lane(store: AnyStore) -> None:
    """Outbox side, discarded: the next event of the key gets through."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    await store.settle([refused(claimed)])
    (letter,) = await store.dead_letters()
    await store.close_dead_letter(letter.id, "discarded")
    assert await claim(store) == ()
    await publish(store, an_event("e-2"))
    assert ids(await claim(store)) == [["e-2"]]


async def test_a_blocked_event_without_a_key_comes_again(store: AnyStore, time: ManualTime) -> None:
    """Outbox side, replayed: a lane of one event stays until its letter is closed, and is due again."""
    id = await quarantined(store, block=True, key=None)
    time.pass_(LEASE)
    await store.settle([accepted(claimed) for claimed in await claim(store)])
    assert await store.backlog(["catalog"], limit=10) == 1
    await store.close_dead_letter(id, "replayed")
    assert ids(await claim(store)) == [["e-1"]]


async def test_a_discarded_event_without_a_key_is_forgotten(store: AnyStore, time: ManualTime) -> None:
    """Outbox side, discarded: a lane of one event ends with it."""
    id = await quarantined(store, block=True, key=None)
    time.pass_(LEASE)
    await store.settle([accepted(claimed) for claimed in await claim(store)])
    await store.close_dead_letter(id, "discarded")
    assert (await claim(store), await store.backlog(["catalog"], limit=10)) == ((), 0)


async def test_a_skipped_event_is_replayed_outside_the_order_of_its_key(store: AnyStore, time: ManualTime) -> None:
    """Outbox side, replayed after the lane went on: it travels alone, with its number, once."""
    id = await quarantined(store, block=False)
    (rest,) = await claim(store)
    await store.settle([accepted(rest)])
    await store.close_dead_letter(id, "replayed")
    (alone,) = await claim(store)
    assert alone == Claimed(
        lane=Lane("catalog", "loans", None, "e-1"),
        token=int(NOON.timestamp() * 1_000_000) + 1,
        attempts=0,
        envelopes=(an_event("e-1").numbered(1),),
    )
    await store.settle([accepted(alone)])
    time.pass_(LEASE)
    assert (await claim(store), await store.backlog(["catalog"], limit=9)) == ((), 0)


async def test_a_discarded_skipped_event_changes_nothing(store: AnyStore) -> None:
    """Outbox side, discarded after the lane went on: there is nothing left to do."""
    id = await quarantined(store, block=False)
    assert await store.close_dead_letter(id, "discarded")
    assert ids(await claim(store)) == [["e-2", "e-3"]]


async def test_a_replayed_inbox_letter_is_held_for_retry_at_once(store: AnyStore, time: ManualTime) -> None:
    """Inbox side, replayed: due at once and marked, its successors still behind it until it is settled."""
    await within(store, lambda unit: unit.inbox.settled(address("e-0", 0), "applied"))
    await hold(store, waiting("e-2", 2, WaitingReason.BEHIND))
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-1")))
    time.pass_(timedelta(seconds=5))
    assert await store.close_dead_letter("letter of e-1", "replayed")
    replay = Waiting(
        address=address("e-1"),
        reason=WaitingReason.RETRY,
        body=b"body of e-1",
        since=max(time.now(), NOON + timedelta.resolution),
        due=time.now(),
        history=("first", "ValueError: no"),
        replayed=True,
    )
    assert await claim_waiting(store) == (replay,)
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert (state.blocked, state.mark, state.waiting) == (False, 0, 2)
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    assert await claim_waiting(store) == (waiting("e-2", 2, WaitingReason.BEHIND, due=time.now()),)


async def test_a_discarded_inbox_letter_is_settled_and_frees_its_key(store: AnyStore) -> None:
    """Inbox side, discarded: settled, unblocked, and the successor is due."""
    await hold(store, waiting("e-2", 2, WaitingReason.BEHIND), waiting("e-3", 3, WaitingReason.BEHIND))
    await within(store, lambda unit: unit.inbox.bury(a_letter("e-1")))
    assert await store.close_dead_letter("letter of e-1", "discarded")
    state = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    assert (state.seen, state.mark, state.blocked) == (True, 1, False)
    assert await claim_waiting(store) == (waiting("e-2", 2, WaitingReason.BEHIND, due=NOON),)


async def test_an_unreadable_letter_is_replayed_under_its_own_id(store: AnyStore) -> None:
    """Inbox side: bytes that nobody could decode are offered again, to newer code."""
    raw = evolve(a_letter("?"), id="raw", topic=None, key=None, sequence=None, event=None, type=None, body=b"\xff")
    await within(store, lambda unit: unit.inbox.bury(raw))
    assert await store.close_dead_letter("raw", "replayed")
    (held,) = await store.claim_waiting(owner="w", limit=1, lease=LEASE, subscriptions=SUBSCRIPTION)
    assert (held.address.event, held.body, held.replayed) == ("raw", b"\xff", True)
