"""The duties of `RelayStore`: lanes lent under a fenced lease, settlements, routes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from effect_runtime.dispatch import Ledger
from effect_runtime.outbox._ports import DeadLetter, Lane, Route, Settlement
from tests.outbox.stores.world import (
    CATALOG,
    KEYED,
    LEASE,
    NOON,
    AnyStore,
    ManualTime,
    accepted,
    an_event,
    claim,
    ids,
    publish,
    refused,
)

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


async def test_a_lane_is_lent_with_its_events_in_order(store: AnyStore) -> None:
    """RelayStore.claim: keyed events share a lane, in the order of their numbers."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2", "other"))
    await publish(store, an_event("e-3"))
    first, second = await claim(store)
    assert (first.lane, first.token, first.attempts) == (KEYED, 1, 0)
    assert [(event.id, event.sequence) for event in first.envelopes] == [("e-1", 1), ("e-3", 2)]
    assert (second.lane, ids([second])) == (Lane("catalog", "loans", "other"), [["e-2"]])


async def test_an_event_without_a_key_is_a_lane_of_its_own(store: AnyStore) -> None:
    """RelayStore.claim: unkeyed events neither wait for one another nor leave a lane behind."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1", None), an_event("e-2", None))
    claims = await claim(store)
    assert [claimed.lane for claimed in claims] == [
        Lane("catalog", "loans", None, "e-1"),
        Lane("catalog", "loans", None, "e-2"),
    ]
    assert await store.settle([accepted(claims[1])]) == ()
    assert await store.backlog(["catalog"], limit=10) == 1


async def test_the_number_of_lanes_and_of_events_is_bounded(store: AnyStore, time: ManualTime) -> None:
    """RelayStore.claim: up to `lanes` lanes, each with up to `events` events."""
    await store.register([CATALOG])
    for number in range(4):
        await publish(store, an_event(f"a-{number}", "a"), an_event(f"b-{number}", "b"), an_event(f"c-{number}", "c"))
        time.pass_(SECOND)
    assert ids(await claim(store, lanes=2, events=3)) == [["a-0", "a-1", "a-2"], ["b-0", "b-1", "b-2"]]
    assert ids(await claim(store, lanes=2, events=3)) == [["c-0", "c-1", "c-2"]]


async def test_a_lane_has_one_owner_until_its_lease_ends(store: AnyStore, time: ManualTime) -> None:
    """RelayStore 1: not before the lease's end, and with a larger token after it."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (first,) = await claim(store, owner="relay-1")
    time.pass_(LEASE - timedelta(microseconds=1))
    assert await claim(store, owner="relay-2") == ()
    assert await store.next_due(["catalog"]) == NOON + LEASE
    time.pass_(timedelta(microseconds=1))
    (second,) = await claim(store, owner="relay-2")
    assert second == evolve(first, token=first.token + 1)


async def test_lanes_are_lent_oldest_due_first(store: AnyStore, time: ManualTime) -> None:
    """RelayStore 2: whoever has waited longest comes first, over all destinations."""
    await store.register([CATALOG, Route("holds", "desk")])
    await publish(store, an_event("e-1", "late"))
    (late,) = await claim(store)
    retry = Settlement(lane=late.lane, token=late.token, accepted=0, then="retry", due=NOON + 3 * SECOND)
    await store.settle([retry])
    time.pass_(SECOND)
    await publish(store, an_event("e-2", "early"))
    time.pass_(SECOND)
    await publish(store, an_event("e-3", "middle", topic="holds"))
    time.pass_(SECOND)
    assert ids(await claim(store, destinations=["desk", "catalog"])) == [["e-2"], ["e-3"], ["e-1"]]


async def test_only_the_named_destinations_are_lent(store: AnyStore) -> None:
    """RelayStore.claim: another process may serve the others."""
    await store.register([CATALOG, Route("loans", "mail")])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store, destinations=["mail"])
    assert claimed.lane == Lane("mail", "loans", "k")
    assert await claim(store, destinations=["nowhere"]) == ()
    assert await store.next_due(["nowhere"]) is None
    assert await store.next_due(["catalog", "mail"]) == NOON


async def test_a_lane_that_is_not_due_is_not_lent(store: AnyStore, time: ManualTime) -> None:
    """RelayStore 2: a retried lane waits for its time; `spend` counts an attempt, without it none."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    await store.settle([Settlement(lane=KEYED, token=1, accepted=0, then="retry", due=NOON + SECOND, error="down")])
    assert await claim(store) == ()
    time.pass_(SECOND)
    (again,) = await claim(store)
    assert again == evolve(claimed, token=2)
    spent = Settlement(lane=KEYED, token=2, accepted=0, then="retry", due=time.now(), spend=True, error="rejected")
    await store.settle([spent])
    (third,) = await claim(store)
    assert third == evolve(claimed, token=3, attempts=1)


async def test_a_lane_without_waiting_events_is_not_lent(store: AnyStore) -> None:
    """RelayStore 2: an accepted lane rests until the next event."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    assert await store.settle([accepted(claimed)]) == ()
    assert (await claim(store), await store.next_due(["catalog"])) == ((), None)
    await publish(store, an_event("e-2"))
    assert ids(await claim(store)) == [["e-2"]]


async def test_the_next_event_waits_for_the_head_of_its_lane(store: AnyStore) -> None:
    """RelayStore 1: stop and wait; what is committed while a lane is lent comes after its settlement."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    await publish(store, an_event("e-2"))
    assert await claim(store) == ()
    await store.settle([accepted(claimed)])
    assert ids(await claim(store)) == [["e-2"]]


async def test_the_accepted_head_takes_its_attempts_along(store: AnyStore) -> None:
    """Settlement: attempts belong to the head; part of a claim may be accepted."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2"), an_event("e-3"))
    (claimed,) = await claim(store)
    spent = Settlement(lane=KEYED, token=claimed.token, accepted=0, then="retry", due=NOON, spend=True, error="no")
    await store.settle([spent])
    (claimed,) = await claim(store)
    spent = Settlement(lane=KEYED, token=claimed.token, accepted=1, then="retry", due=NOON, spend=True, error="no")
    await store.settle([spent])
    (claimed,) = await claim(store)
    assert (claimed.attempts, ids([claimed])) == (1, [["e-2", "e-3"]])
    await store.settle([accepted(claimed, 1)])
    (claimed,) = await claim(store)
    assert (claimed.attempts, ids([claimed])) == (0, [["e-3"]])


async def test_a_stale_settlement_changes_nothing_and_comes_back(store: AnyStore, time: ManualTime) -> None:
    """RelayStore 3: a token that is not the lane's last one settles nothing."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2"))
    (zombie,) = await claim(store, owner="zombie")
    time.pass_(LEASE)
    (owner,) = await claim(store, owner="owner")
    stale = accepted(zombie)
    assert await store.settle([stale]) == (stale,)
    assert await store.settle([accepted(owner, 1)]) == ()
    assert ids(await claim(store)) == [["e-2"]]


async def test_a_late_settlement_counts_while_nobody_else_has_the_lane(store: AnyStore, time: ManualTime) -> None:
    """RelayStore 3: an ended lease that was not lent on still is the last token."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    time.pass_(2 * LEASE)
    assert await store.settle([accepted(claimed)]) == ()
    assert await claim(store) == ()


async def test_a_claim_is_settled_once(store: AnyStore) -> None:
    """RelayStore 3: a second settlement under one token is stale."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2"))
    (claimed,) = await claim(store)
    once = accepted(claimed, 1)
    assert await store.settle([once]) == ()
    assert await store.settle([once]) == (once,)
    assert ids(await claim(store)) == [["e-2"]]


async def test_settlements_stand_one_by_one(store: AnyStore) -> None:
    """RelayStore 3: each settlement is atomic for itself; stale ones do not hold up the others."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1", "a"), an_event("e-2", "b"))
    first, second = await claim(store)
    stale = evolve(accepted(first), token=first.token + 1)
    unknown = evolve(accepted(first), lane=Lane("catalog", "loans", "never"))
    assert await store.settle([stale, accepted(second), unknown]) == (stale, unknown)
    assert await store.backlog(["catalog"], limit=10) == 1


async def test_a_released_lane_is_due_at_once(store: AnyStore) -> None:
    """Settlement.release: the lane is given back."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    (claimed,) = await claim(store)
    await store.settle([accepted(claimed, 0)])
    (again,) = await claim(store, owner="relay-2")
    assert again == evolve(claimed, token=2)


async def test_a_route_gets_what_is_committed_after_it(store: AnyStore) -> None:
    """RelayStore 4: from its registration on; registering again changes nothing."""
    await publish(store, an_event("e-1"), an_event("u-1", None))
    await store.register([CATALOG])
    await store.register([CATALOG, Route("loans", "catalog", earliest=True)])
    await publish(store, an_event("e-2"), an_event("u-2", None), an_event("x-1", topic="holds"))
    assert ids(await claim(store)) == [["e-2"], ["u-2"]]


async def test_an_earliest_route_also_gets_what_was_committed_before(store: AnyStore) -> None:
    """Route.earliest: everything of its topic that is stored, each key from its first number."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("u-1", None), an_event("x-1", topic="holds"))
    await publish(store, an_event("e-2"))
    await store.register([Route("loans", "late", earliest=True)])
    await publish(store, an_event("e-3"))
    assert ids(await claim(store, destinations=["late"])) == [["e-1", "e-2", "e-3"], ["u-1"]]


async def test_a_quarantined_head_blocks_its_lane(store: AnyStore) -> None:
    """Settlement.quarantine: the head becomes a dead letter with every attempt's error, and its key waits."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1", payload=b'{"odd": 1}'), an_event("e-2"))
    (claimed,) = await claim(store)
    spent = Settlement(lane=KEYED, token=1, accepted=0, then="retry", due=NOON, spend=True, error="odd")
    await store.settle([spent])
    (claimed,) = await claim(store)
    assert await store.settle([refused(claimed)]) == ()
    (letter,) = await store.dead_letters()
    assert letter == DeadLetter(
        id=letter.id,
        side="outbox",
        destination="catalog",
        topic="loans",
        key="k",
        sequence=1,
        event="e-1",
        type="lending.book-borrowed",
        body=b'{"odd": 1}',
        cause="too odd",
        history=("odd", "too odd"),
        attempts=2,
        blocks=True,
        at=NOON,
    )
    await publish(store, an_event("e-3"))
    assert (await claim(store), await store.next_due(["catalog"])) == ((), None)
    assert await store.backlog(["catalog"], limit=10) == 3


async def test_a_lane_may_go_on_without_a_quarantined_head(store: AnyStore) -> None:
    """Settlement.block=False: the rest of the claim's lane is due at once."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2"), an_event("e-3"))
    (claimed,) = await claim(store)
    await store.settle([refused(claimed, block=False, accepted=1)])
    (letter,) = await store.dead_letters()
    assert (letter.event, letter.blocks) == ("e-2", False)
    assert ids(await claim(store)) == [["e-3"]]


async def test_the_backlog_counts_no_further_than_its_limit(store: AnyStore) -> None:
    """RelayStore.backlog: unaccepted events of these destinations, up to the limit."""
    await store.register([CATALOG, Route("loans", "mail")])
    await publish(store, *(an_event(f"e-{number}", f"k-{number % 3}") for number in range(7)))
    assert await store.backlog(["catalog"], limit=100) == 7
    assert await store.backlog(["catalog", "mail"], limit=100) == 14
    assert await store.backlog(["catalog", "mail"], limit=5) == 5
    assert await store.backlog(["nowhere"], limit=5) == 0


async def test_the_version_grows_with_every_commit_and_only_then(store: AnyStore) -> None:
    """RelayStore.version: a poll that costs nothing and misses nothing."""
    await store.register([CATALOG])
    before = store.version()
    assert store.version() == before
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
        assert store.version() == before
    assert store.version() == before
    await publish(store, an_event("e-1"))
    assert store.version() > before


async def test_claiming_nothing_writes_nothing(store: AnyStore) -> None:
    """RelayStore.claim: an idle relay does not wake itself."""
    await store.register([CATALOG])
    before = store.version()
    assert await claim(store) == ()
    assert await store.settle([]) == ()
    await store.register([CATALOG])
    assert store.version() == before


async def test_events_without_any_route_are_stored_all_the_same(store: AnyStore) -> None:
    """Route.earliest: history is kept for subscriptions to come."""
    async with store.unit() as unit:
        await unit.commit(Ledger(events=(an_event("e-1"),)))
    assert await store.next_due(["catalog"]) is None
    await store.register([Route("loans", "catalog", earliest=True)])
    assert ids(await claim(store)) == [["e-1"]]
