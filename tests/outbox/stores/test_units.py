"""The duties of `UnitOfWork` and `UnitStore`."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskStatus

from effect_runtime.dispatch import Ledger
from effect_runtime.errors import EventTooLarge, SavepointGone, StoreConflict, UnitEnded
from tests.outbox.stores.world import (
    CATALOG,
    KINDS,
    NOTHING,
    AnyStore,
    a_store,
    an_answer,
    an_audit,
    an_event,
    claim,
    committed,
    ids,
    publish,
    put,
    rows,
    still_host,
)

pytestmark = pytest.mark.anyio


async def test_a_unit_opens_at_its_first_need_and_only_once(store: AnyStore) -> None:
    """UnitOfWork 1: `begin` opens the transaction; calling it again does nothing."""
    async with store.unit() as unit:
        before = unit.is_open
        await unit.begin()
        await unit.begin()
        assert (before, unit.is_open) == (False, True)
        await unit.commit(NOTHING)
        assert not unit.is_open


async def test_a_unit_that_never_opened_delays_nobody(store: AnyStore) -> None:
    """UnitOfWork 1: nothing is opened before `begin`, so another unit may write meanwhile."""
    async with store.unit() as idle:
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, "a", "1")
            await unit.commit(NOTHING)
        assert await idle.commit(NOTHING) == ()
    assert await committed(store) == {"a": "1"}


async def test_a_commit_keeps_rows_and_a_rollback_does_not(store: AnyStore) -> None:
    """UnitStore.unit: leaving without `commit` rolls back."""
    async with store.unit() as unit:
        await unit.begin()
        await put(unit.session, "kept", "1")
        await unit.commit(NOTHING)
    async with store.unit() as unit:
        await unit.begin()
        await put(unit.session, "lost", "1")
    with pytest.raises(KeyError):
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, "lost too", "1")
            raise KeyError("a defect")
    assert await committed(store) == {"kept": "1"}


async def test_units_wait_for_their_turn_in_the_order_of_asking(store: AnyStore) -> None:
    """UnitOfWork 1: `begin` waits for its turn."""
    order: list[int] = []

    async def write(number: int, *, task_status: TaskStatus[None]) -> None:
        async with store.unit() as unit:
            task_status.started()
            await unit.begin()
            order.append(number)
            await unit.commit(NOTHING)

    async with anyio.create_task_group() as tasks:
        async with store.unit() as first:
            await first.begin()
            for number in range(5):
                await tasks.start(write, number)
                await anyio.wait_all_tasks_blocked()
            order.append(-1)
            await first.commit(NOTHING)
    assert order == [-1, 0, 1, 2, 3, 4]


async def test_a_cancelled_wait_leaves_the_turn_to_the_next(store: AnyStore) -> None:
    """UnitOfWork 1: a unit that is cancelled while it waits never gets the turn."""
    async with anyio.create_task_group() as tasks:
        async with store.unit() as first:
            await first.begin()

            async def wait() -> None:
                async with store.unit() as unit:
                    await unit.begin()

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await first.commit(NOTHING)
    await publish(store, an_event("e-1"))


async def test_a_claimed_id_has_no_answer_until_one_is_committed(store: AnyStore) -> None:
    """UnitOfWork 2: `claim` returns the answer that a twin has stored, if any."""
    async with store.unit() as unit:
        assert await unit.claim("c-1", b"print") is None
        assert await unit.claim("c-1", b"print") is None
        await unit.commit(Ledger(answer=an_answer()))
    async with store.unit() as unit:
        assert await unit.claim("c-1", b"other") == an_answer()
    assert await store.answer("c-1") == an_answer()
    assert await store.answer("c-2") is None


async def test_a_rolled_back_claim_is_forgotten(store: AnyStore) -> None:
    """UnitOfWork 2: only what was committed is an answer."""
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
        await unit.commit(NOTHING)
    async with store.unit() as unit:
        assert await unit.claim("c-1", b"print") is None


async def test_a_twin_in_flight_is_waited_for_and_answers(store: AnyStore) -> None:
    """UnitOfWork 2: a twin in flight makes `claim` wait; its answer is returned."""
    found: list[object] = []

    async def twin() -> None:
        async with store.unit() as unit:
            found.append(await unit.claim("c-1", b"print"))

    async with anyio.create_task_group() as tasks:
        async with store.unit() as first:
            await first.claim("c-1", b"print")
            tasks.start_soon(twin)
            await anyio.wait_all_tasks_blocked()
            assert found == []
            await first.commit(Ledger(answer=an_answer()))
    assert found == [an_answer()]


async def test_a_second_answer_to_one_command_is_a_conflict(store: AnyStore) -> None:
    """UnitOfWork 5: a unit that did not claim and answers what is answered has lost, and wrote nothing."""
    async with store.unit() as unit:
        await unit.commit(Ledger(answer=an_answer()))
    with pytest.raises(StoreConflict):
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, "a", "1")
            await unit.commit(Ledger(answer=an_answer(body=b"2")))
    assert (await store.answer("c-1"), await committed(store)) == (an_answer(), {})


async def test_savepoints_nest_and_undo_exactly_what_came_after(store: AnyStore) -> None:
    """UnitOfWork 3: `rollback_to` undoes exactly what came after `savepoint` and ends it."""
    async with store.unit() as unit:
        await unit.begin()
        await put(unit.session, "a", "1")
        outer = await unit.savepoint()
        await put(unit.session, "b", "1")
        inner = await unit.savepoint()
        await put(unit.session, "a", "2")
        await put(unit.session, "c", "1")
        await unit.rollback_to(inner)
        assert await rows(unit.session) == {"a": "1", "b": "1"}
        await put(unit.session, "d", "1")
        await unit.release(outer)
        again = await unit.savepoint()
        await put(unit.session, "e", "1")
        await unit.rollback_to(again)
        await unit.commit(NOTHING)
    assert await committed(store) == {"a": "1", "b": "1", "d": "1"}


async def test_ending_an_outer_savepoint_ends_the_inner_ones(store: AnyStore) -> None:
    """UnitOfWork 3: a savepoint ends once."""
    async with store.unit() as unit:
        outer = await unit.savepoint()
        inner = await unit.savepoint()
        await put(unit.session, "a", "1")
        await unit.rollback_to(outer)
        for ended in (inner, outer):
            with pytest.raises(SavepointGone):
                await unit.release(ended)
        await unit.commit(NOTHING)
    assert await committed(store) == {}


async def test_a_released_savepoint_is_undone_with_the_one_around_it(store: AnyStore) -> None:
    """UnitOfWork 3: savepoints nest."""
    async with store.unit() as unit:
        outer = await unit.savepoint()
        inner = await unit.savepoint()
        await put(unit.session, "a", "1")
        await unit.release(inner)
        await unit.rollback_to(outer)
        await unit.commit(NOTHING)
    assert await committed(store) == {}


async def test_commit_numbers_the_events_of_each_key(store: AnyStore) -> None:
    """UnitOfWork 4: keyed events are numbered from their counter row, others are not."""
    first = await publish(store, an_event("e-1"), an_event("e-2", "other"), an_event("e-3"), an_event("e-4", None))
    second = await publish(store, an_event("e-5"), an_event("e-6", topic="holds"))
    assert first == (
        an_event("e-1").numbered(1),
        an_event("e-2", "other").numbered(1),
        an_event("e-3").numbered(2),
        an_event("e-4", None),
    )
    assert second == (an_event("e-5").numbered(3), an_event("e-6", topic="holds").numbered(1))


async def test_aborted_units_leave_no_gap_in_the_numbers(store: AnyStore) -> None:
    """UnitOfWork 4: numbers are taken inside the transaction."""
    await publish(store, an_event("e-1"))
    with pytest.raises(EventTooLarge):
        await publish(store, an_event("e-2"), an_event("e-3", payload=b"x" * ((1 << 20) + 1)))
    (after,) = await publish(store, an_event("e-4"))
    assert after == an_event("e-4").numbered(2)


async def test_an_event_above_the_limit_fails_its_command_cleanly(store: AnyStore) -> None:
    """Scenario 30: refused with its size and the way out; nothing of the command is kept."""
    with pytest.raises(EventTooLarge, match="takes 1048577 bytes and the store accepts 1048576") as refusal:
        async with store.unit() as unit:
            await unit.claim("c-1", b"print")
            await put(unit.session, "a", "1")
            await unit.commit(Ledger(answer=an_answer(), events=(an_event("e-1", payload=b"x" * ((1 << 20) + 1)),)))
    assert (refusal.value.event, refusal.value.limit) == ("e-1", 1 << 20)
    assert (await committed(store), await store.answer("c-1")) == ({}, None)


async def test_everything_of_an_envelope_comes_back(store: AnyStore) -> None:
    """UnitOfWork 4: what is written is what is delivered, byte for byte."""
    odd = an_event("e-\u2603", 'k"\\\n\u0001\u20ac', payload=b'{"a":\n"\xe2\x82\xac"}\n\n')
    await store.register([CATALOG])
    (written,) = await publish(store, odd)
    (claimed,) = await claim(store)
    assert claimed.envelopes == (written,) == (odd.numbered(1),)


async def test_keys_may_be_long(store: AnyStore) -> None:
    """Keys up to 64 KiB are kept apart by their last sign."""
    long = "k" * 65_535
    events = await publish(store, an_event("e-1", long + "a"), an_event("e-2", long + "b"), an_event("e-3", long + "a"))
    assert [event.sequence for event in events] == [1, 1, 2]


async def test_rolling_back_twice_or_after_a_commit_does_nothing(store: AnyStore) -> None:
    """UnitOfWork 6: `rollback` may come at any time."""
    async with store.unit() as unit:
        await unit.begin()
        await put(unit.session, "a", "1")
        await unit.commit(NOTHING)
        await unit.rollback()
        await unit.rollback()
    async with store.unit() as unit:
        await unit.rollback()
        await unit.rollback()
    assert await committed(store) == {"a": "1"}


async def test_nothing_of_an_ended_unit_can_be_used(store: AnyStore) -> None:
    """UnitOfWork 7: session, savepoints and unit refuse use after the unit has ended."""
    async with store.unit() as unit:
        await unit.begin()
        session = unit.session
        savepoint = await unit.savepoint()
        await unit.commit(NOTHING)
        with pytest.raises(UnitEnded):
            await put(session, "a", "1")
        with pytest.raises(UnitEnded):
            await unit.release(savepoint)
        with pytest.raises(UnitEnded):
            await unit.begin()
        with pytest.raises(UnitEnded):
            await unit.commit(NOTHING)


async def test_nothing_of_an_ended_read_session_can_be_used(store: AnyStore) -> None:
    """UnitStore.reading: a session belongs to its block."""
    async with store.reading() as session:
        pass
    with pytest.raises(UnitEnded):
        await rows(session)


async def test_a_read_session_sees_one_snapshot(store: AnyStore) -> None:
    """UnitStore.reading: one consistent snapshot, whatever is committed or undone meanwhile."""
    async with store.unit() as unit:
        await unit.begin()
        await put(unit.session, "a", "1")
        await unit.commit(NOTHING)
    async with store.reading() as early:
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, "a", "2")
            await put(unit.session, "b", "2")
            async with store.reading() as during:
                seen_during = await rows(during)
                await unit.commit(NOTHING)
                assert (seen_during, await rows(during)) == ({"a": "1"}, {"a": "1"})
        async with store.unit() as unit:
            await unit.begin()
            await put(unit.session, "c", "3")
        assert await rows(early) == {"a": "1"}
    assert await committed(store) == {"a": "2", "b": "2"}


async def test_answers_and_audit_do_not_show_what_is_not_committed(store: AnyStore) -> None:
    """UnitStore.answer: outside any unit, only what is committed."""
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
        assert await store.answer("c-1") is None
        await unit.commit(Ledger(audit=an_audit(), answer=an_answer()))
    assert (await store.answer("c-1"), await store.audit_trail()) == (an_answer(), (an_audit(),))


async def test_an_audit_entry_stands_alone(store: AnyStore) -> None:
    """UnitStore.audit: a transaction of its own, in the order of writing."""
    await store.audit(an_audit("c-1"))
    await store.audit(an_audit("c-2"))
    assert await store.audit_trail() == (an_audit("c-1"), an_audit("c-2"))
    assert await store.audit_trail(limit=1) == (an_audit("c-2"),)


async def test_the_ledger_is_written_in_one_step(store: AnyStore) -> None:
    """UnitOfWork 4: audit, events and answer are committed together with the rows."""
    async with store.unit() as unit:
        await unit.claim("c-1", b"print")
        await put(unit.session, "a", "1")
        ledger = Ledger(audit=an_audit(), answer=an_answer(), events=(an_event("e-1"),))
        assert await unit.commit(ledger) == (an_event("e-1").numbered(1),)
    assert await store.audit_trail() == (an_audit(),)
    assert await store.answer("c-1") == an_answer()
    assert await committed(store) == {"a": "1"}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_committed_is_there_when_the_store_is_opened_again(kind: str, tmp_path: Path) -> None:
    """Store.opened: closing loses nothing, and a route stays known."""
    store = a_store(kind, tmp_path)
    async with store.opened(still_host()) as opened:
        await opened.register([CATALOG])
        await publish(opened, an_event("e-1"))
    async with store.opened(still_host()) as opened:
        await publish(opened, an_event("e-2"))
        assert ids(await claim(opened)) == [["e-1", "e-2"]]
