"""What becomes of each item of the agenda that a worker takes up."""

from __future__ import annotations

from asyncio import CancelledError
from datetime import timedelta
from typing import Any

import pytest
from anyio import Event, create_task_group
from anyio.lowlevel import checkpoint
from attrs import evolve

from effect_runtime.dispatch import Conflict, Ledger
from effect_runtime.effect import Exit, Schedule
from effect_runtime.errors import BadPayload, CommandNotDone, DeadLetterClosed, StoreConflict, StoreDown
from effect_runtime.integration import encode_message
from effect_runtime.outbox import AgendaCounts, ConsumerPolicy, Persistence
from tests.outbox.chores import NOTIFY, SECOND, chore, chores, failing, steps, until
from tests.outbox.world import START

pytestmark = pytest.mark.anyio


async def test_an_item_is_handled_once_and_leaves_the_agenda() -> None:
    """Its effect and its end are one transaction."""
    async with chores() as world:
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"), chore("b"))
            await world.rest(workers)
        assert (sorted(await world.effects()), await world.left()) == (["a", "b"], [])
        assert workers.counts == AgendaCounts(handled=2)


async def test_items_of_a_lane_are_handled_in_the_order_of_adding() -> None:
    """Also when the first of them fails at first; other lanes do not wait for it."""
    async with chores() as world:
        world.handler = failing("a1", times=2)
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a1", key="a"), chore("a2", key="a"), chore("b1", key="b"), chore("a3", key="a"))
            await until(world.time, lambda: workers.counts.handled == 4)
        assert [id for id in await world.effects() if id != "b1"] == ["a1", "a2", "a3"]
        assert [id for id in world.begun if id != "b1"] == ["a1", "a1", "a1", "a2", "a3"]
        assert world.begun.index("b1") <= 1


async def test_a_failed_item_is_tried_at_once_then_by_the_schedule() -> None:
    """One try at once and two a second apart; the clock stands still for the first."""
    async with chores() as world:
        moments: list[float] = []

        async def handler(id: str) -> object:
            moments.append(world.time.elapsed)
            raise RuntimeError("broken")

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.buried == 1)
        assert len(moments) == 4
        assert moments[0] == moments[1]
        assert moments[2] - moments[1] >= 1.0
        assert moments[3] - moments[2] >= 1.0
        assert workers.counts == AgendaCounts(retried=3, buried=1)


async def test_after_the_last_try_an_item_is_a_dead_letter_and_its_lane_goes_on() -> None:
    """Bytes, cause and history are kept; the letter has the item's id."""
    async with chores() as world:
        world.handler = failing("a1")
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a1", key="a"), chore("a2", key="a"))
            await until(world.time, lambda: workers.counts.handled == 1)
        (letter,) = await world.letters.list()
        assert (await world.effects(), await world.left()) == (["a2"], [])
        assert (letter.id, letter.side, letter.destination, letter.topic) == ("a1", "agenda", NOTIFY, "notices")
        assert (letter.key, letter.event, letter.type, letter.blocks) == ("a", "a1", "lending.loan-due", False)
        assert (letter.attempts, len(letter.history), letter.body) == (
            4,
            4,
            encode_message(chore("a1", key="a").envelope).body,
        )
        assert letter.cause.startswith("RuntimeError: a1 breaks (")


async def test_a_dead_letter_that_is_replayed_is_tried_like_a_new_item() -> None:
    """Once it works it is done; a second replay is refused."""
    async with chores() as world:
        world.handler = failing("a", times=4)
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.buried == 1)
            await world.letters.replay("a")
            await until(world.time, lambda: workers.counts.handled == 1)
            with pytest.raises(DeadLetterClosed):
                await world.letters.replay("a")
        assert (await world.effects(), await world.letters.list()) == (["a"], ())


async def test_a_replay_that_fails_again_is_a_second_letter() -> None:
    """The first keeps the item's id, and is closed."""
    async with chores() as world:
        world.handler = failing("a")
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.buried == 1)
            await world.letters.replay("a")
            await until(world.time, lambda: workers.counts.buried == 2)
        first, second = await world.letters.list(state=None)
        assert (first.id, first.state, second.event, second.state) == ("a", "replayed", "a", "dead")
        assert second.id != "a"


async def test_a_discarded_letter_stays_away() -> None:
    """Nobody tries it again."""
    async with chores() as world:
        world.handler = failing("a", failure="dead_letter")
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.buried == 1)
            await world.letters.discard("a")
            await world.rest(workers)
        assert (world.begun, await world.letters.list(), await world.left()) == (["a"], (), [])


async def test_a_declared_failure_means_what_its_reaction_says() -> None:
    """Ignored counts as done, dead_letter gives up at once, anything else is tried again."""
    async with chores() as world:

        async def handler(id: str) -> object:
            return {"i": "ignore", "d": "dead_letter", "r": "other"}.get(id)

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("i"), chore("d"), chore("r"))
            await until(world.time, lambda: workers.counts.buried == 2)
        assert world.begun.count("r") == 4
        assert workers.counts == AgendaCounts(ignored=1, buried=2, retried=3)
        assert [(each.id, each.cause) for each in await world.letters.list()] == [
            ("d", "'dead_letter'"),
            ("r", "'other'"),
        ]


async def test_an_item_that_cannot_be_read_is_a_dead_letter_at_once() -> None:
    """No try will mend its payload."""
    async with chores() as world:

        async def react(item: Any, **rest: Any) -> Exit[Any, Any]:
            raise BadPayload("lending.loan-due", 1, faults={"loan": "is missing"})

        workers = world.workers(evolve(world.taker(), react=react))
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.buried == 1)
        (letter,) = await world.letters.list()
        assert letter.attempts == 1
        assert letter.cause.startswith("effect_runtime.errors")


@pytest.mark.parametrize(
    "trouble", [StoreDown("lending", reason="full"), CommandNotDone("notify", Conflict("a twin was faster"))]
)
async def test_trouble_of_the_store_spends_no_attempt(trouble: Exception) -> None:
    """The lease runs out, and the item is lent again."""
    async with chores() as world:
        troubles = [trouble]

        async def handler(id: str) -> object:
            if troubles:
                raise troubles.pop()
            return None

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.handled == 1)
        assert world.time.elapsed >= 9.0
        assert (workers.counts, world.begun) == (AgendaCounts(handled=1), ["a", "a"])


async def test_a_cancellation_that_nobody_asked_for_is_a_failed_try() -> None:
    """A handler that awaits a future which somebody else has cancelled ends nobody's loop."""
    async with chores() as world:
        strays = [CancelledError()]

        async def handler(id: str) -> object:
            if strays:
                raise strays.pop()
            return None

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.handled == 1)
        assert workers.counts == AgendaCounts(handled=1, retried=1)


async def test_a_handler_that_takes_too_long_is_stopped_and_tried_again() -> None:
    """What it wrote is gone."""
    async with chores() as world:
        stuck = [True]

        async def handler(id: str) -> object:
            if stuck.pop():
                await Event().wait()
            return None

        stuck.insert(0, False)
        world.handler = handler
        workers = world.workers(policy=ConsumerPolicy(handle_within=timedelta(milliseconds=20)))
        async with workers.running():
            await world.add(chore("a"))
            while not workers.counts.handled:  # no virtual time: it is tried again at once
                await checkpoint()
        assert workers.counts == AgendaCounts(handled=1, retried=1)
        assert await world.effects() == ["a"]


async def test_a_try_that_only_waited_for_its_store_spends_no_attempt() -> None:
    """Others were in its way for all the time that it had; its lease runs out, and it is lent again."""
    async with chores() as world:
        stuck = [False, True]

        async def react(item: Any, *, waits: Any, **rest: Any) -> Exit[Any, Any]:
            waits()
            if stuck.pop():
                await Event().wait()
            return await world.react(item, **rest)

        policy = ConsumerPolicy(handle_within=timedelta(milliseconds=20))
        workers = world.workers(evolve(world.taker(), react=react), policy=policy)
        async with workers.running():
            await world.add(chore("a"))
            while stuck == [False, True] or "turn did not come" not in "".join(workers.trouble):
                await checkpoint()
            (entry,) = await world.store.agenda_entries()
            assert entry.attempts == 0
            await until(world.time, lambda: workers.counts.handled == 1)
        assert workers.counts == AgendaCounts(handled=1)


async def test_a_worker_that_slept_through_its_lease_changes_nothing() -> None:
    """The entry was lent on and handled; the zombie's loan is stale, and its handler never runs."""
    async with chores() as world:
        await world.add(chore("a"))
        source = world.source()
        (zombie,) = await source.claim(9)
        world.time.turn(10 * SECOND)
        workers = world.workers()
        async with workers.running():
            await world.rest(workers)
        await source.work(zombie)
        assert (await world.effects(), world.begun) == (["a"], ["a"])
        assert world.counts == AgendaCounts(handled=1, stale=1)


async def test_a_zombie_that_fails_writes_no_retry_and_no_letter() -> None:
    """Neither ends a loan that is another's by now."""
    async with chores() as world:
        await world.add(chore("a"))
        source = world.source()
        (zombie,) = await source.claim(9)

        async def handler(id: str) -> object:
            world.time.turn(10 * SECOND)
            lent = await world.store.claim_agenda(owner="heir", limit=9, lease=9 * SECOND, reactions=(NOTIFY,))
            entries.extend(lent)
            return "dead_letter"

        entries: list[Any] = []
        source.takers = {NOTIFY: evolve(world.taker(), react=world.failing_react(handler))}
        await source.work(zombie)
        (entry,) = await world.store.agenda_entries()
        assert (entry.token, entry.attempts, entry.is_lent) == (entries[0].token, 0, True)
        assert (await world.letters.list(), world.counts) == ((), AgendaCounts(stale=1))


async def test_a_conflict_of_a_conclusion_is_written_alone() -> None:
    """The failed try is recorded on the second go."""
    async with chores() as world:
        world.handler = failing("a", times=1)
        world.store = Conflicted(world.store, at=2)
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"))
            await until(world.time, lambda: workers.counts.handled == 1)
        assert workers.counts == AgendaCounts(handled=1, retried=1)
        assert world.store.asked == [False, False, False, True, False]


class Conflicted:
    """A store whose unit number `at`, counted from 0, meets a conflict."""

    def __init__(self, inner: Any, *, at: int) -> None:
        self._inner = inner
        self._at = at
        self.asked: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def unit(self, *, alone: bool = False) -> Any:
        """Give a unit, or refuse."""
        self.asked.append(alone)
        if len(self.asked) == self._at + 1:
            raise StoreConflict("lending", reason="busy")
        return self._inner.unit(alone=alone)


async def test_a_bug_is_told_once_and_each_dead_letter() -> None:
    """A declared failure is no bug."""
    async with chores() as world:

        async def handler(id: str) -> object:
            if id == "bug":
                raise RuntimeError("oh")
            return "other"

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("bug"), chore("declared"))
            await until(world.time, lambda: workers.counts.buried == 2)
        subjects = [(told.kind, told.command, told.subject.split(":")[0]) for told in world.told]
        assert sorted(subjects) == [
            ("delivery", NOTIFY, "lending.loan-due bug could not be handled"),
            ("delivery", NOTIFY, "lending.loan-due bug is a dead letter"),
            ("delivery", NOTIFY, "lending.loan-due declared is a dead letter"),
        ]


async def test_an_item_fires_once_and_never_early() -> None:
    """Before its time nobody borrows it."""
    async with chores() as world:
        moments: list[float] = []

        async def handler(id: str) -> object:
            moments.append(world.time.elapsed)
            return None

        world.handler = handler
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a", due=START + 5 * SECOND))
            await until(world.time, lambda: workers.counts.handled == 1)
            await world.rest(workers)
        assert (len(moments), moments[0] >= 5.0, moments[0] < 6.0) == (1, True, True)


async def test_a_cancelled_item_is_never_handled() -> None:
    """Not even by a worker that had borrowed it."""
    async with chores() as world:
        await world.add(chore("a"))
        source = world.source()
        (lent,) = await source.claim(9)
        async with world.store.unit() as unit:
            assert await unit.agenda.cancel("a")
            await unit.commit(Ledger())
        await source.work(lent)
        assert (world.begun, world.counts) == ([], AgendaCounts(stale=1))


async def test_a_rescheduled_item_waits_for_its_new_time() -> None:
    """The loan from before it is stale, its attempts are forgotten."""
    async with chores() as world:
        await world.add(chore("a"))
        source = world.source()
        (lent,) = await source.claim(9)
        async with world.store.unit() as unit:
            assert await unit.agenda.reschedule("a", START + 60 * SECOND)
            await unit.commit(Ledger())
        await source.work(lent)
        workers = world.workers()
        async with workers.running():
            await until(world.time, lambda: workers.counts.handled == 1)
        assert world.time.elapsed >= 60.0
        assert (world.begun, world.counts) == (["a"], AgendaCounts(handled=1, stale=1))


@pytest.mark.parametrize(("concurrency", "expected"), [(0, 5), (1, 1), (3, 3)])
async def test_concurrency_bounds_how_many_lanes_are_in_work(concurrency: int, expected: int) -> None:
    """0 is all of them; never two items of one lane."""
    async with chores() as world:
        inside: list[str] = []
        most: list[int] = [0]
        lanes: list[bool] = []
        go = Event()

        async def react(item: Any, **rest: Any) -> Exit[Any, Any]:
            inside.append(item.envelope.key)
            most[0] = max(most[0], len(inside))
            lanes.append(len(set(inside)) == len(inside))
            await go.wait()
            inside.remove(item.envelope.key)
            return await world.react(item, **rest)

        workers = world.workers(evolve(world.taker(), react=react), concurrency=concurrency)
        async with workers.running():
            await world.add(*(chore(f"{key}{number}", key=key) for number in range(2) for key in "abcde"))
            await steps(200)
            assert len(inside) == expected
            go.set()
            await until(world.time, lambda: workers.counts.handled == 10)
        assert (most[0], all(lanes), sorted(await world.effects())) == (
            expected,
            True,
            [f"{key}{number}" for key in "abcde" for number in range(2)],
        )


async def test_leaving_finishes_what_is_in_hand_and_leaves_the_rest_on_the_agenda() -> None:
    """Nothing that waits is lost: another process takes it up."""
    async with chores() as world:
        go, entered = Event(), Event()

        async def handler(id: str) -> object:
            entered.set()
            await go.wait()
            return None

        world.handler = handler
        workers = world.workers(concurrency=1)
        async with create_task_group() as group:

            async def work() -> None:
                async with workers.running():
                    await world.add(chore("a"), chore("b"))
                    await entered.wait()
                    group.start_soon(release)

            async def release() -> None:
                await steps()
                go.set()

            group.start_soon(work)
        assert (await world.effects(), await world.left()) == (["a"], ["b"])


async def test_what_is_cut_off_is_given_back_without_an_attempt() -> None:
    """Whoever comes next need not wait for the lease."""
    async with chores() as world:
        await world.add(chore("a", key="k"), chore("b", key="k"), chore("c"))
        source = world.source()
        assert len(await source.claim(9)) == 2
        await source.close()
        entries = {entry.item.envelope.id: entry for entry in await world.store.agenda_entries()}
        assert [(id, each.due, each.is_lent, each.attempts) for id, each in entries.items()] == [
            ("a", START, False, 0),
            ("b", None, False, 0),
            ("c", START, False, 0),
        ]


async def test_a_reaction_that_is_not_known_here_is_left_alone() -> None:
    """Another process of the same store may know it."""
    async with chores() as world:
        workers = world.workers()
        async with workers.running():
            await world.add(chore("a"), chore("x", reaction="lending.renamed"))
            await world.rest(workers)
        assert (await world.effects(), await world.left()) == (["a"], ["x"])


async def test_a_schedule_with_a_deadline_ends_the_tries() -> None:
    """It counts from when the item was due, not from when it was added."""
    async with chores() as world:
        world.handler = failing("a")
        brief = Persistence(schedule=Schedule.fixed(SECOND).within(timedelta(seconds=2.5)))
        workers = world.workers(world.taker(brief))
        async with workers.running():
            await world.add(chore("a", due=START + 100 * SECOND))
            await until(world.time, lambda: workers.counts.buried == 1)
        (letter,) = await world.letters.list()
        assert letter.attempts == 3
