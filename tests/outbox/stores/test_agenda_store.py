"""The duties of `Agenda`, `LentAgenda` and `AgendaStore`: lanes, loans under a token, and the agenda's dead letters."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from effect_runtime.dispatch import AgendaEntry, AgendaItem, Ledger
from effect_runtime.errors import DeadLetterNotReplayable, UnitEnded
from effect_runtime.integration import encode_message
from effect_runtime.outbox._ports import DeadLetter
from tests.outbox.stores.test_inbox_store import within
from tests.outbox.stores.world import LEASE, NOON, NOTHING, AnyStore, ManualTime, an_event

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
FIRST = int(NOON.timestamp() * 1_000_000)
"""Where the tokens of an entry that is added at noon start."""


def an_item(id: str, key: str | None = None, *, reaction: str = "notify", due: datetime | None = None) -> AgendaItem:
    """Return an item for an after-commit handler."""
    return AgendaItem(reaction=reaction, envelope=an_event(id, key, topic="notifications"), due=due)


async def add(store: AnyStore, *items: AgendaItem) -> None:
    """Commit items in a unit of their own."""
    async with store.unit() as unit:
        await unit.commit(Ledger(agenda=items))


async def claim(store: AnyStore, *reactions: str, owner: str = "worker", limit: int = 10) -> tuple[AgendaEntry, ...]:
    """Claim as the agenda's worker does."""
    return await store.claim_agenda(owner=owner, limit=limit, lease=LEASE, reactions=reactions or ("notify",))


def ids(entries: tuple[AgendaEntry, ...]) -> list[str]:
    """Return the ids of the items."""
    return [entry.item.envelope.id for entry in entries]


async def take(store: AnyStore, id: str, token: int) -> bool:
    """Take an item in a unit of its own."""
    return await within(store, lambda unit: unit.agenda.take(id, token))


async def retry(store: AnyStore, id: str, token: int, *, due: datetime = NOON, error: str = "no") -> bool:
    """End a loan with a failure in a unit of its own."""
    return await within(store, lambda unit: unit.agenda.retry(id, token, due=due, error=error))


async def release(store: AnyStore, id: str, token: int) -> bool:
    """End a loan without a try in a unit of its own."""
    return await within(store, lambda unit: unit.agenda.release(id, token))


async def find(store: AnyStore, id: str) -> AgendaEntry | None:
    """Read an entry in a unit of its own."""
    return await within(store, lambda unit: unit.agenda.find(id))


def its_letter(item: AgendaItem, *, body: bytes | None = None) -> DeadLetter:
    """Return the dead letter of an item."""
    envelope = item.envelope
    return DeadLetter(
        id=f"letter of {envelope.id}",
        side="agenda",
        destination=item.reaction,
        topic=envelope.topic,
        key=envelope.key,
        sequence=None,
        event=envelope.id,
        type=envelope.type,
        body=encode_message(envelope).body if body is None else body,
        cause="ValueError: no",
        history=("first", "ValueError: no"),
        attempts=2,
        blocks=False,
        at=NOON,
        recording=b'[{"operation":"Loans.save"}]',
    )


async def buried(store: AnyStore, letter: DeadLetter) -> None:
    """Claim the item of a letter and bury it."""
    (entry,) = await claim(store, letter.destination)
    assert await within(store, lambda unit: unit.agenda.bury(str(letter.event), entry.token, letter))


async def test_an_item_of_the_ledger_is_an_entry_due_at_once(store: AnyStore) -> None:
    """Ledger.agenda: it comes with its envelope as it was, and with no attempts."""
    await add(store, an_item("i-1", "ann"))
    entry = AgendaEntry(item=an_item("i-1", "ann"), since=NOON, due=NOON, token=FIRST)
    assert await store.agenda_entries() == (entry,)
    assert await find(store, "i-1") == entry
    assert await store.next_agenda(["notify"]) == NOON
    lent = evolve(entry, due=NOON + LEASE, token=FIRST + 1, is_lent=True)
    assert await claim(store) == (lent,)
    assert await store.agenda_entries() == (lent,)
    assert await claim(store) == ()


async def test_an_item_that_a_unit_takes_back_is_no_entry(store: AnyStore) -> None:
    """Agenda: every method reads and writes in the unit's transaction."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    async with store.unit() as unit:
        savepoint = await unit.savepoint()
        await unit.agenda.add(an_item("i-3", "ann"))
        assert await unit.agenda.cancel("i-1")
        await unit.rollback_to(savepoint)
        await unit.agenda.add(an_item("i-4"))
    assert [(each.item.envelope.id, each.due) for each in await store.agenda_entries()] == [
        ("i-1", NOON),
        ("i-2", None),
    ]


async def test_what_is_not_committed_is_not_seen(store: AnyStore) -> None:
    """AgendaStore: lists, counts and due times tell what is committed."""
    await add(store, an_item("i-1"))
    async with store.unit() as unit:
        await unit.agenda.cancel("i-1")
        await unit.agenda.add(an_item("i-2", reaction="other"))
        assert await store.next_agenda(["notify"]) == NOON
        assert await store.next_agenda(["other"]) is None
        assert ids(await store.agenda_entries()) == ["i-1"]
        assert await store.agenda_backlog(None, limit=9) == 1
        assert await store.agenda_reactions() == ("notify",)


async def test_an_id_that_is_there_is_left_as_it_is(store: AnyStore) -> None:
    """Agenda.add: adding twice is adding once."""
    await add(store, an_item("i-1", "ann"))
    await add(store, an_item("i-1", "bob", reaction="other"))
    await within(store, lambda unit: unit.agenda.add(an_item("i-1", due=NOON + SECOND)))
    assert [each.item for each in await store.agenda_entries()] == [an_item("i-1", "ann")]
    (entry,) = await claim(store)
    assert await take(store, "i-1", entry.token)
    await add(store, an_item("i-2", "bob", reaction="other"))
    assert ids(await claim(store, "other")) == ["i-2"]


async def test_an_item_is_not_lent_before_it_is_due(store: AnyStore, time: ManualTime) -> None:
    """AgendaStore 2: only what is due, on the store's clock, earliest due first."""
    await add(store, an_item("late", due=NOON + 2 * SECOND), an_item("soon", due=NOON + SECOND), an_item("now"))
    assert ids(await claim(store)) == ["now"]
    assert await store.next_agenda(["notify"]) == NOON + SECOND
    time.pass_(2 * SECOND)
    assert ids(await claim(store)) == ["soon", "late"]
    assert await store.next_agenda(["notify"]) == NOON + LEASE


async def test_a_claim_is_bounded_and_takes_what_has_been_due_for_longest(store: AnyStore, time: ManualTime) -> None:
    """AgendaStore 2: over all reactions together, oldest first among those that are due alike."""
    await add(store, an_item("i-1"), an_item("i-2", reaction="other"), an_item("i-3"))
    time.pass_(SECOND)
    assert ids(await claim(store, "notify", "other", "notify", limit=2)) == ["i-1", "i-2"]
    assert ids(await claim(store, "notify", "other", limit=2)) == ["i-3"]


async def test_an_entry_is_lent_again_when_its_lease_ends_and_the_old_loan_is_stale(
    store: AnyStore, time: ManualTime
) -> None:
    """AgendaStore 1, LentAgenda 3: a larger token for each loan, and only the last one counts."""
    await add(store, an_item("i-1"))
    (first,) = await claim(store, owner="one")
    time.pass_(LEASE)
    (second,) = await claim(store, owner="two")
    assert second.token == first.token + 1
    letter = its_letter(an_item("i-1"))
    before = await find(store, "i-1")
    assert not await take(store, "i-1", first.token)
    assert not await retry(store, "i-1", first.token)
    assert not await within(store, lambda unit: unit.agenda.bury("i-1", first.token, letter))
    assert (await find(store, "i-1"), await store.dead_letters()) == (before, ())
    assert await take(store, "i-1", second.token)
    assert not await take(store, "i-1", second.token)


async def test_a_loan_whose_lease_has_ended_holds_until_it_is_lent_on(store: AnyStore, time: ManualTime) -> None:
    """LentAgenda 3: late is not stale."""
    await add(store, an_item("i-1"))
    (entry,) = await claim(store)
    time.pass_(2 * LEASE)
    assert await take(store, "i-1", entry.token)
    assert await store.agenda_entries() == ()


async def test_an_entry_that_is_not_lent_cannot_be_ended(store: AnyStore) -> None:
    """LentAgenda 3: an ended loan is stale, whatever token it had."""
    await add(store, an_item("i-1"))
    assert not await take(store, "i-1", FIRST)
    (entry,) = await claim(store)
    assert await retry(store, "i-1", entry.token)
    assert not await take(store, "i-1", entry.token)


async def test_a_loan_of_an_earlier_life_of_an_id_is_stale(store: AnyStore, time: ManualTime) -> None:
    """LentAgenda 3: the same id may be added again, and nobody who borrowed the first one can end the second."""
    await add(store, an_item("i-1"))
    (zombie,) = await claim(store)
    assert await within(store, lambda unit: unit.agenda.cancel("i-1"))
    time.pass_(SECOND)
    await add(store, an_item("i-1"))
    (entry,) = await claim(store)
    assert not await take(store, "i-1", zombie.token)
    assert await take(store, "i-1", entry.token)


async def test_items_of_one_lane_become_due_one_after_another(store: AnyStore, time: ManualTime) -> None:
    """Agenda 1, LentAgenda 1: the next one when the one before it has ended, at its own due time."""
    later = NOON + timedelta(minutes=5)
    await add(
        store, an_item("i-1", "ann"), an_item("i-2", "ann"), an_item("i-3", "ann", due=later), an_item("b", "bob")
    )
    one, other = await claim(store)
    assert ids((one, other)) == ["i-1", "b"]
    time.pass_(SECOND)
    assert await take(store, "i-1", one.token)
    (two,) = await claim(store)
    assert (ids((two,)), two.since) == (["i-2"], NOON)
    assert await take(store, "i-2", two.token)
    assert (await claim(store), await find(store, "i-3")) == (
        (),
        AgendaEntry(item=an_item("i-3", "ann", due=later), since=NOON, due=later, token=FIRST),
    )


async def test_a_key_is_a_lane_for_each_reaction(store: AnyStore) -> None:
    """Agenda 1: one key of one reaction; another reaction to the same key does not wait."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann", reaction="other"))
    assert ids(await claim(store, "notify", "other")) == ["i-1", "i-2"]


async def test_a_failed_attempt_keeps_the_item_at_the_head_of_its_lane(store: AnyStore, time: ManualTime) -> None:
    """LentAgenda 2: one attempt more, the error kept, its successors behind it."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    for number in (1, 2):
        (entry,) = await claim(store)
        assert await retry(store, "i-1", entry.token, due=time.now() + SECOND, error=f"error {number}")
        assert await claim(store) == ()
        time.pass_(SECOND)
    expected = AgendaEntry(
        item=an_item("i-1", "ann"),
        since=NOON,
        due=NOON + 2 * SECOND,
        attempts=2,
        history=("error 1", "error 2"),
        token=FIRST + 2,
    )
    assert await find(store, "i-1") == expected


async def test_a_buried_item_is_a_letter_and_its_lane_goes_on(store: AnyStore) -> None:
    """LentAgenda 2: removed, as `take` does, and the dead letter stored with all it holds."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    letter = its_letter(an_item("i-1", "ann"))
    await buried(store, letter)
    assert (await store.dead_letters(), await store.dead_letter(letter.id)) == ((letter,), letter)
    assert ids(await claim(store)) == ["i-2"]


@pytest.mark.parametrize("lent", [False, True])
async def test_a_cancelled_head_lets_its_lane_go_on(store: AnyStore, lent: bool) -> None:
    """Agenda 2: lent or not; whoever had borrowed it ends nothing."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    loans = await claim(store) if lent else ()
    assert await within(store, lambda unit: unit.agenda.cancel("i-1"))
    assert not await within(store, lambda unit: unit.agenda.cancel("i-1"))
    assert [await take(store, "i-1", loan.token) for loan in loans] == [False] * len(loans)
    assert ids(await claim(store)) == ["i-2"]


async def test_an_item_cancelled_behind_another_leaves_the_lane_as_it_is(store: AnyStore) -> None:
    """Agenda 2: the one in front of it stays the head, and the one behind comes after that."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"), an_item("i-3", "ann"))
    assert await within(store, lambda unit: unit.agenda.cancel("i-2"))
    (entry,) = await claim(store)
    assert await take(store, "i-1", entry.token)
    (entry,) = await claim(store)
    assert (ids((entry,)), await take(store, "i-3", entry.token)) == (["i-3"], True)
    await add(store, an_item("i-4", "ann"))
    assert ids(await claim(store)) == ["i-4"]


async def test_rescheduling_makes_loans_stale_and_forgets_attempts(store: AnyStore, time: ManualTime) -> None:
    """Agenda 2: it has another due time of its own, no attempts, and nobody has borrowed it."""
    await add(store, an_item("i-1", due=NOON))
    (entry,) = await claim(store)
    assert await retry(store, "i-1", entry.token)
    (entry,) = await claim(store)
    moved = NOON + timedelta(hours=1)
    assert await within(store, lambda unit: unit.agenda.reschedule("i-1", moved))
    assert not await within(store, lambda unit: unit.agenda.reschedule("nobody", moved))
    assert not await take(store, "i-1", entry.token)
    assert await store.agenda_entries() == (
        AgendaEntry(item=an_item("i-1", due=moved), since=NOON, due=moved, token=entry.token + 1),
    )
    time.pass_(timedelta(hours=1))
    assert ids(await claim(store)) == ["i-1"]


async def test_an_item_rescheduled_behind_another_stays_behind_it(store: AnyStore, time: ManualTime) -> None:
    """Agenda 1 and 2: its place in the lane is kept; the new time counts from when its turn comes."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    assert await within(store, lambda unit: unit.agenda.reschedule("i-2", NOON - SECOND))
    (entry,) = await claim(store)
    assert (ids((entry,)), await store.next_agenda(["notify"])) == (["i-1"], NOON + LEASE)
    assert await take(store, "i-1", entry.token)
    assert await store.next_agenda(["notify"]) == NOON - SECOND


async def test_entries_of_other_reactions_are_left_alone_and_told(store: AnyStore) -> None:
    """AgendaStore 3: another process may know them; an operator sees who has entries at all."""
    await add(store, *(an_item(f"i-{number}", reaction=name) for number, name in enumerate("cabac")))
    assert (await claim(store, "nobody"), await store.next_agenda(["nobody"])) == ((), None)
    assert await store.agenda_reactions() == ("a", "b", "c")
    counts = [await store.agenda_backlog(names, limit=4) for names in (["a"], ["a", "a", "b"], ["nobody"], None)]
    assert counts == [2, 3, 0, 4]


async def test_entries_are_listed_page_by_page(store: AnyStore) -> None:
    """AgendaStore.agenda_entries: in the order of adding; from the beginning where the last one seen has ended."""
    names = ["a", "b", "a", "b", "c"]
    await add(store, *(an_item(f"i-{number}", reaction=name) for number, name in enumerate(names)))
    assert ids(await store.agenda_entries(limit=2)) == ["i-0", "i-1"]
    assert ids(await store.agenda_entries(limit=2, after="i-1")) == ["i-2", "i-3"]
    assert ids(await store.agenda_entries(["a", "b"], limit=2, after="i-0")) == ["i-1", "i-2"]
    assert ids(await store.agenda_entries(["a"], after="i-2")) == []
    await within(store, lambda unit: unit.agenda.cancel("i-0"))
    assert ids(await store.agenda_entries(limit=2, after="i-0")) == ["i-1", "i-2"]


async def test_a_replayed_letter_puts_its_item_back_outside_the_order(store: AnyStore, time: ManualTime) -> None:
    """DeadLetterStore, agenda side: due at once, attempts forgotten, its lane not waited for."""
    item = an_item("i-1", "ann", due=NOON)
    await add(store, item)
    await buried(store, its_letter(item))
    await add(store, an_item("i-2", "ann"), an_item("i-3", "ann"))
    time.pass_(SECOND)
    assert await store.close_dead_letter("letter of i-1", "replayed")
    assert not await store.close_dead_letter("letter of i-1", "replayed")
    two, one = await claim(store)
    assert ids((two, one)) == ["i-2", "i-1"]
    assert (one.item, one.attempts, one.since) == (evolve(item, due=None), 0, time.now())
    assert await take(store, "i-1", one.token)
    assert await claim(store) == ()
    assert await take(store, "i-2", two.token)
    assert ids(await claim(store)) == ["i-3"]


async def test_a_discarded_letter_is_only_closed(store: AnyStore) -> None:
    """DeadLetterStore, agenda side: its lane has gone on already."""
    await add(store, an_item("i-1", "ann"))
    await buried(store, its_letter(an_item("i-1", "ann")))
    assert await store.close_dead_letter("letter of i-1", "discarded")
    assert await store.agenda_entries() == ()
    assert [letter.state for letter in await store.dead_letters(state=None)] == ["discarded"]


async def test_a_letter_without_a_message_is_not_replayed(store: AnyStore) -> None:
    """DeadLetterStore, agenda side: refused with the way out, and left open for a decision."""
    await add(store, an_item("i-1"))
    letter = its_letter(an_item("i-1"), body=b"PatronNotified(patron=7)")
    await buried(store, letter)
    with pytest.raises(DeadLetterNotReplayable, match=r"'letter of i-1' of 'notify' cannot be replayed.*durable=True"):
        await store.close_dead_letter(letter.id, "replayed")
    assert (await store.dead_letters(), await store.agenda_entries()) == ((letter,), ())
    assert await store.close_dead_letter(letter.id, "discarded")


async def test_the_agenda_of_an_ended_unit_is_refused(store: AnyStore) -> None:
    """UnitOfWork 7: the agenda ends with its unit."""
    async with store.unit() as unit:
        agenda = unit.agenda
        await agenda.find("i-1")
        await unit.commit(NOTHING)
    with pytest.raises(UnitEnded):
        await agenda.find("i-1")


async def test_an_entry_that_is_given_back_is_as_if_it_had_never_been_lent(store: AnyStore, time: ManualTime) -> None:
    """LentAgenda.release: due at once, with the attempts that it had; its lane waits for it."""
    await add(store, an_item("i-1", "ann"), an_item("i-2", "ann"))
    (entry,) = await claim(store)
    assert await retry(store, "i-1", entry.token, error="broken")
    (entry,) = await claim(store)
    time.pass_(SECOND)
    assert await release(store, "i-1", entry.token)
    found = await find(store, "i-1")
    assert found is not None
    assert (found.due, found.attempts, found.history, found.is_lent) == (NOON + SECOND, 1, ("broken",), False)
    assert ids(await claim(store)) == ["i-1"]


async def test_a_stale_loan_gives_nothing_back(store: AnyStore, time: ManualTime) -> None:
    """LentAgenda 3: it was lent on, has ended, or was given back already."""
    await add(store, an_item("i-1"))
    (first,) = await claim(store)
    time.pass_(LEASE)
    (second,) = await claim(store, owner="heir")
    assert not await release(store, "i-1", first.token)
    assert await find(store, "i-1") == second
    assert await release(store, "i-1", second.token)
    assert not await release(store, "i-1", second.token)
    assert not await release(store, "i-9", second.token)
