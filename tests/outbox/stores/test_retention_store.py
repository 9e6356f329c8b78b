"""The duties of `RetentionStore`: what is done and old goes, what is still needed stays, however old it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from anyio import create_task_group
from attrs import evolve

from effect_runtime.dispatch import AgendaItem, Ledger
from effect_runtime.errors import EventsPurged
from effect_runtime.outbox._ports import InboxState, Kept, Place, Route, WaitingReason
from effect_runtime.outbox.sqlite import _retention
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.test_inbox_store import hold, within
from tests.outbox.stores.test_letter_store import quarantined
from tests.outbox.stores.test_sqlite_reading import plan
from tests.outbox.stores.world import (
    CATALOG,
    LEASE,
    NOON,
    NOTHING,
    AnyStore,
    ManualTime,
    a_letter,
    accepted,
    address,
    an_answer,
    an_audit,
    an_event,
    claim,
    ids,
    publish,
    refused,
    sqlite_store,
    still_host,
    waiting,
)

pytestmark = pytest.mark.anyio

YEAR = timedelta(days=365)
AGES = NOON + 10 * YEAR
"""Before this moment everything in these tests was done."""


async def purge(store: AnyStore, kept: Kept, before: datetime = AGES, *, limit: int = 100) -> int:
    """Go through all rows of one kind and return how many were removed."""
    removed = 0
    behind: Place | None = ()
    while behind is not None:
        sweep = await store.purge(kept, before, limit=limit, behind=behind)
        assert sweep.removed <= limit
        removed, behind = removed + sweep.removed, sweep.reached
    return removed


async def deliver(store: AnyStore) -> list[list[str]]:
    """Let every due lane's destination accept its events."""
    claims = await claim(store)
    await store.settle([accepted(claimed) for claimed in claims])
    return ids(claims)


async def test_accepted_events_are_removed_when_they_are_old(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore: older than the moment, and no others; keyed or not, with a destination or without."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"), an_event("e-2", None), an_event("e-3", topic="nobody listens"))
    time.pass_(timedelta(hours=1))
    await publish(store, an_event("e-4"))
    assert await deliver(store) == [["e-1", "e-4"], ["e-2"]]
    assert await purge(store, Kept.EVENTS, NOON) == 0
    assert await purge(store, Kept.EVENTS, NOON + timedelta(minutes=1)) == 3
    assert await purge(store, Kept.EVENTS) == 1
    assert await purge(store, Kept.EVENTS) == 0


async def test_numbers_go_on_where_events_were_removed(store: AnyStore) -> None:
    """RetentionStore 1: numbers and lanes are no kinds at all."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    await deliver(store)
    await purge(store, Kept.EVENTS)
    (event,) = await publish(store, an_event("e-2"))
    assert (event.sequence, await deliver(store)) == (2, [["e-2"]])


async def test_an_event_stays_until_its_last_destination_has_accepted_it(store: AnyStore) -> None:
    """RetentionStore 1: every destination counts, and a loan counts as not accepted."""
    await store.register([CATALOG, Route("loans", "mail")])
    await publish(store, an_event("e-1"), an_event("e-2", None))
    await deliver(store)
    loans = await claim(store, destinations=["mail"])
    assert await purge(store, Kept.EVENTS) == 0
    await store.settle([evolve(accepted(loan), then="release", accepted=0) for loan in loans])
    again = await claim(store, destinations=["mail"])
    assert ids(again) == [["e-1"], ["e-2"]]
    await store.settle([accepted(loan) for loan in again])
    assert await purge(store, Kept.EVENTS) == 2


async def test_an_event_stays_while_its_key_is_blocked(store: AnyStore) -> None:
    """RetentionStore 1: the head that is a dead letter, and all that stand behind it."""
    letter = await quarantined(store, block=True)
    assert await purge(store, Kept.EVENTS) == 0
    await store.close_dead_letter(letter, "replayed")
    assert await purge(store, Kept.EVENTS) == 0
    assert await deliver(store) == [["e-1", "e-2", "e-3"]]
    assert await purge(store, Kept.EVENTS) == 3


@pytest.mark.parametrize("key", ["k", None])
async def test_an_event_stays_while_its_dead_letter_is_open(store: AnyStore, time: ManualTime, key: str | None) -> None:
    """RetentionStore 1: its key went on without it, and an operator may want it back."""
    letter = await quarantined(store, block=False, key=key)
    time.pass_(LEASE)
    await deliver(store)
    assert await purge(store, Kept.EVENTS) == 2
    assert await store.close_dead_letter(letter, "replayed")
    assert await purge(store, Kept.EVENTS) == 0
    assert await deliver(store) == [["e-1"]]
    assert await purge(store, Kept.EVENTS) == 1


async def test_an_event_whose_dead_letter_was_discarded_goes(store: AnyStore) -> None:
    """RetentionStore: nothing can ask for it any more."""
    letter = await quarantined(store, block=False)
    await deliver(store)
    await store.close_dead_letter(letter, "discarded")
    assert await purge(store, Kept.EVENTS) == 3


async def test_a_new_earliest_route_is_refused_where_events_were_removed(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore 3: it could not get them; known routes and those that start now are taken."""
    await store.register([CATALOG])
    await publish(store, an_event("e-1"))
    time.pass_(timedelta(minutes=1))
    await publish(store, an_event("e-2"))
    await deliver(store)
    await purge(store, Kept.EVENTS)
    new = Route("loans", "mail", earliest=True)
    with pytest.raises(EventsPurged, match=r"'mail' asks for events of topic 'loans'.*until 2026-05-01T12:01:00.*now"):
        await store.register([Route("loans", "fines"), new])
    await publish(store, an_event("e-3"))
    assert await store.backlog(["fines"], limit=9) == 0
    await store.register(
        [evolve(CATALOG, earliest=True), Route("other", "mail", earliest=True), Route("loans", "mail")]
    )
    await store.register([new])
    await publish(store, an_event("e-4"))
    assert ids(await claim(store, destinations=["mail"])) == [["e-4"]]


async def test_a_settled_event_is_forgotten_when_it_is_old(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore: an event with a key is told by its mark for ever, one without by its row."""
    await within(store, lambda unit: unit.inbox.settled(address("e-1"), "applied"))
    await within(store, lambda unit: unit.inbox.settled(address("u-1", None, key=None), "applied"))
    assert await purge(store, Kept.INBOX, NOON) == 0
    assert await purge(store, Kept.INBOX) == 2
    keyed = await within(store, lambda unit: unit.inbox.state(address("e-1")))
    unkeyed = await within(store, lambda unit: unit.inbox.state(address("u-1", None, key=None)))
    assert keyed == InboxState(seen=False, held=False, mark=1, blocked=False, waiting=0)
    assert unkeyed == InboxState(seen=False, held=False, mark=None, blocked=False, waiting=0)


async def test_a_settled_event_stays_known_while_its_dead_letter_is_open(store: AnyStore) -> None:
    """RetentionStore 1: a second delivery must not run beside a replay that is still to come."""
    letter = evolve(a_letter("e-1", blocks=False), key=None, sequence=None)
    unkeyed = address("e-1", None, key=None)
    await within(store, lambda unit: unit.inbox.bury(letter))
    await within(store, lambda unit: unit.inbox.settled(unkeyed, "dead"))
    assert await purge(store, Kept.INBOX) == 0
    await store.close_dead_letter(letter.id, "replayed")
    assert await purge(store, Kept.INBOX) == 0
    (replay,) = await store.claim_waiting(owner="w", limit=1, lease=LEASE, subscriptions=["catalog.loans"])
    await within(store, lambda unit: unit.inbox.drop(replay.address))
    assert await purge(store, Kept.INBOX) == 1


async def test_what_waits_is_never_removed(store: AnyStore) -> None:
    """RetentionStore 1: waiting rows, lanes and the agenda are no kinds at all."""
    await hold(store, waiting("e-2", 2), waiting("e-1", 1, WaitingReason.RETRY, due=AGES))
    item = AgendaItem(reaction="remind", envelope=an_event("i-1"), due=AGES)
    async with store.unit() as unit:
        await unit.commit(Ledger(agenda=(item,)))
    assert [await purge(store, kept) for kept in Kept] == [0, 0, 0, 0, 0]
    assert (await store.next_waiting(["catalog.loans"]), await store.next_agenda(["remind"])) == (AGES, AGES)
    assert [row.address.event for row in await store.stale_gaps(-20 * YEAR)] == ["e-2"]


async def test_an_answer_is_forgotten_when_it_is_old(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore: its command id is unknown again, and may be answered anew."""
    for id in ("c-1", "c-2"):
        async with store.unit() as unit:
            await unit.claim(id, b"print")
            await unit.commit(Ledger(answer=an_answer(id)))
        time.pass_(timedelta(hours=1))
    assert await purge(store, Kept.ANSWERS, NOON + timedelta(minutes=1)) == 1
    assert [await store.answer(id) for id in ("c-1", "c-2")] == [None, an_answer("c-2")]
    async with store.unit() as unit:
        assert await unit.claim("c-1", b"print") is None
        await unit.commit(Ledger(answer=an_answer("c-1", b'"again"')))
    assert await store.answer("c-1") == an_answer("c-1", b'"again"')


async def test_audit_lines_go_oldest_first(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore: lines that are old, and those that come later keep their order."""
    lines = [evolve(an_audit(f"c-{number}"), at=NOON + timedelta(hours=number)) for number in range(4)]
    for line in lines[:3]:
        await store.audit(line)
    assert await purge(store, Kept.AUDIT, NOON + timedelta(hours=2)) == 2
    async with store.unit() as unit:
        await unit.commit(Ledger(audit=lines[3]))
    assert await store.audit_trail() == (lines[2], lines[3])


async def test_a_closed_letter_goes_by_the_time_of_its_closing(store: AnyStore, time: ManualTime) -> None:
    """RetentionStore 1: open letters stay; a closed one is remembered from when it was closed."""
    letters = [evolve(a_letter(f"e-{number}", number, blocks=False)) for number in (1, 2, 3)]
    async with store.unit() as unit:
        for letter in letters:
            await unit.inbox.bury(letter)
        await unit.commit(NOTHING)
    time.pass_(YEAR)
    await store.close_dead_letter(letters[0].id, "discarded")
    time.pass_(YEAR)
    await store.close_dead_letter(letters[1].id, "replayed")
    assert await purge(store, Kept.LETTERS, NOON + YEAR) == 0
    assert await purge(store, Kept.LETTERS, NOON + 2 * YEAR) == 1
    assert [letter.state for letter in await store.dead_letters(state=None)] == ["replayed", "dead"]
    assert await purge(store, Kept.LETTERS) == 1
    assert await store.dead_letters(state=None) == (letters[2],)


@pytest.mark.parametrize("limit", [1, 3, 4])
async def test_a_step_is_bounded_and_all_steps_together_find_everything(store: AnyStore, limit: int) -> None:
    """RetentionStore 2: no step looks at more than its limit; what must stay is walked around."""
    await store.register([CATALOG])
    for number in range(9):
        await publish(store, an_event(f"e-{number}", "ab"[number % 2]))
    mine, other = await claim(store)
    await store.settle([accepted(mine, 3), evolve(refused(other), accepted=1)])
    assert await purge(store, Kept.EVENTS, limit=limit) == 4
    async with store.unit() as unit:
        for number in range(7):
            await unit.inbox.settled(address(f"e-{number}", number), "applied")
        await unit.commit(NOTHING)
    assert await purge(store, Kept.INBOX, limit=limit) == 7


async def test_two_processes_may_forget_at_the_same_time(tmp_path: Path) -> None:
    """RetentionStore 2: what one has removed the other does not find; together they count each row once."""
    # This clock passes 20 ms with each turn of the loop, and a COMMIT on a real disk lasts for thousands of them.
    one, two = (sqlite_store(tmp_path, busy=timedelta(days=1)) for _ in range(2))
    async with one.opened(still_host()) as first, two.opened(still_host()) as second:
        await publish(first, *(an_event(f"e-{number}") for number in range(40)))
        removed: list[int] = []

        async def forget(store: OpenSqlite, limit: int) -> None:
            removed.append(await purge(store, Kept.EVENTS, limit=limit))

        async with create_task_group() as group:
            group.start_soon(forget, first, 3)
            group.start_soon(forget, second, 4)
        assert sum(removed) == 40


async def test_nothing_is_written_when_there_is_nothing_to_remove(store: AnyStore) -> None:
    """RetentionStore 2: a round over a store without old rows is no commit."""
    await publish(store, an_event("e-1"))
    before = store.version()
    assert [await purge(store, kept, NOON) for kept in Kept] == [0, 0, 0, 0, 0]
    assert store.version() == before


async def test_walks_go_along_keys_that_are_there(sqlite: OpenSqlite) -> None:
    """RetentionStore 2: no step sorts or scans, and what is needed is found by search."""
    plans = {}
    for kept, walk in _retention.WALKS.items():
        asked = walk.asked(walk.first, 10)
        named = isinstance(asked, dict)
        plans[kept] = plan(sqlite._probe, walk.walk, **asked) if named else plan(sqlite._probe, walk.walk, *asked)
    assert plans == {
        Kept.EVENTS: ["SEARCH er_outbox USING INTEGER PRIMARY KEY (rowid>?)"],
        Kept.INBOX: ["SEARCH er_inbox USING PRIMARY KEY ((subscription,event)>(?,?))"],
        Kept.ANSWERS: ["SEARCH er_command USING PRIMARY KEY (id>?)"],
        Kept.LETTERS: ["SEARCH er_dead USING INDEX er_dead_closed (<expr>>?)"],
        Kept.AUDIT: ["SEARCH er_audit USING INTEGER PRIMARY KEY (rowid>?)"],
    }
    searches = [
        line
        for kept in (Kept.EVENTS, Kept.INBOX)
        for line in plan(sqlite._probe, _retention.WALKS[kept].remove, *_retention.WALKS[kept].first, 0)
    ]
    assert [line for line in searches if line.startswith("SCAN")] == []
