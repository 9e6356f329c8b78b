"""A volatile queue at work, on virtual time, and whoever waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from anyio import Event, create_task_group

from effect_runtime.dispatch import Diagnostic, EventQueue, GivenUp, Handled, Lost, StillQueued
from effect_runtime.effect import Schedule
from effect_runtime.errors import CommitUndecided, StoreDown
from effect_runtime.outbox import AgendaCounts
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.chores import SECOND, Chores, chore, chores, failing, notice, steps, until
from tests.outbox.world import turned_host

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


async def test_events_are_tried_at_once_then_by_the_schedule_and_end_as_a_letter() -> None:
    """As in a durable queue; its lane waits meanwhile, and then goes on."""
    async with chores() as world:
        world.handler = failing("a1")
        queue = EventQueue("mail", durable=False, immediate=1, schedule=Schedule.fixed(SECOND).times(2))
        async with world.queues(queue) as queues:
            queues.put([notice("a1", key="a"), notice("a2", key="a")])
            await until(world.time, lambda: world.counts.handled == 1)
        (letter,) = await world.letters.list()
        assert world.begun == ["a1", "a1", "a1", "a1", "a2"]
        assert world.time.elapsed >= 2.0
        assert (letter.id, letter.attempts, letter.body, letter.blocks) == ("a1", 4, b"NoticeOccurred()", False)
        assert world.counts == AgendaCounts(handled=1, retried=3, buried=1)
        assert [told.subject.split(":")[0] for told in world.told] == [
            "NoticeOccurred a1 could not be handled",
            "NoticeOccurred a1 is a dead letter",
        ]


async def test_who_is_told_cannot_disturb_the_queue_by_failing() -> None:
    """What the application's diagnostics raise moves no event a second time."""

    class Deaf(list[Diagnostic]):
        """Diagnostics that cannot be told of anything."""

        def append(self, told: Diagnostic, /) -> None:
            """Fail."""
            raise RuntimeError("the pager is down")

    async with chores() as world:
        world.told, world.handler = Deaf(), failing("a1")
        queue = EventQueue("mail", durable=False, immediate=0, schedule=Schedule.fixed(SECOND).times(1))
        async with world.queues(queue) as queues:
            queues.put([notice("a1", key="a"), notice("a2", key="a")])
            await until(world.time, lambda: world.counts.handled == 1)
            world.time.turn(MINUTE)
            await steps()
        assert (world.begun, world.counts) == (["a1", "a1", "a2"], AgendaCounts(handled=1, retried=1, buried=1))


async def test_trouble_of_the_store_spends_no_attempt() -> None:
    """The event is tried again when a lease would have ended."""
    async with chores() as world:
        troubles = [StoreDown("lending", reason="full")]

        async def handler(id: str) -> object:
            if troubles:
                raise troubles.pop()
            return None

        world.handler = handler
        async with world.queues(EventQueue("mail", durable=False)) as queues:
            queues.put([notice("a")])
            await until(world.time, lambda: world.counts.handled == 1)
        assert (world.counts, world.begun) == (AgendaCounts(handled=1), ["a", "a"])
        assert world.time.elapsed >= 9.0


class Undecided:
    """A store whose commit of the first dead letter stands, and gives no verdict."""

    def __init__(self, store: OpenSqlite) -> None:
        self._store = store
        self._is_undecided = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def unit(self, *, alone: bool = False) -> AsyncIterator[Any]:
        """Give a unit of the store."""
        async with self._store.unit(alone=alone) as unit:
            yield unit
        if self._is_undecided and await self._store.dead_letters(state="dead", limit=1):
            self._is_undecided = False
            raise CommitUndecided("lending", waited=SECOND)


async def test_an_undecided_commit_of_a_letter_ends_the_event_at_its_next_try(tmp_path: Path) -> None:
    """There is one letter, and the lane goes on. No reaction of this small world can work on SQLite: all fail."""
    host, time = turned_host()
    async with SqliteStore(tmp_path / "lending.db").opened(host) as store:
        world = Chores(cast("Any", Undecided(store)), host, time)
        queue = EventQueue("mail", durable=False, immediate=0, schedule=Schedule().times(0))
        async with world.queues(queue) as queues:
            queues.put([notice("a1", key="a"), notice("a2", key="a")])
            await until(time, lambda: world.counts.buried == 2)
        assert world.begun == ["a1", "a1", "a2"]
        assert [letter.id for letter in await store.dead_letters(state="dead", limit=9)] == ["a1", "a2"]
        assert world.counts == AgendaCounts(buried=2)


async def test_what_finds_no_room_in_time_is_lost_and_counted() -> None:
    """As many as the capacity may wait outside of it, for the timeout; what comes on top is lost at once."""
    async with chores() as world:
        go = Event()

        async def handler(id: str) -> object:
            await go.wait()
            return None

        world.handler = handler
        queue = EventQueue("mail", durable=False, capacity=2, concurrency=1, timeout=5 * SECOND)
        async with world.queues(queue) as queues:
            with world.lookout.expect(["n4"]) as expected:
                queues.put([notice(f"n{number}") for number in range(5)])
                assert expected.answer == Lost()
            assert world.counts == AgendaCounts(lost_without_room=1)
            await steps()
            world.time.turn(6 * SECOND)
            go.set()
            await until(world.time, lambda: world.counts.handled == 2)
        assert (world.begun, world.counts) == (["n0", "n1"], AgendaCounts(handled=2, lost_without_room=3))


async def test_whoever_waits_outside_gets_in_when_there_is_room_in_order() -> None:
    """Nothing is lost that finds room within the timeout."""
    async with chores() as world:
        queue = EventQueue("mail", durable=False, capacity=2, concurrency=1, timeout=MINUTE)
        async with world.queues(queue) as queues:
            queues.put([notice(f"n{number}") for number in range(4)])
            await until(world.time, lambda: world.counts.handled == 4)
        assert (world.begun, world.counts) == (["n0", "n1", "n2", "n3"], AgendaCounts(handled=4))


async def test_room_is_given_to_those_who_wait_in_their_order() -> None:
    """One place, one caller: the others wait on, each no longer than the timeout."""
    async with chores() as world:
        queue = EventQueue("mail", capacity=1, timeout=5 * SECOND)
        answers: list[tuple[str, object]] = []
        workers = world.workers()
        async with world.queues(queue) as queues, create_task_group() as group:

            async def ask(name: str) -> None:
                answers.append((name, await queues.room([queue], more=1)))

            await world.add(chore("a"))
            for name in ("first", "second"):
                group.start_soon(ask, name)
                await steps()
            assert answers == []
            async with workers.running():
                await until(world.time, lambda: len(answers) == 2)
        assert answers == [("first", None), ("second", None)]


async def test_a_caller_without_room_in_time_is_told_which_queue_was_full() -> None:
    """On the host's clock."""
    async with chores() as world:
        queue = EventQueue("mail", capacity=1, timeout=5 * SECOND)
        answers: list[object] = []
        async with world.queues(queue) as queues, create_task_group() as group:

            async def ask() -> None:
                answers.append(await queues.room([queue], more=1))

            await world.add(chore("a"))
            group.start_soon(ask)
            await until(world.time, lambda: answers == [queue])
        assert world.time.elapsed >= 5.0


async def test_room_is_not_asked_of_a_store_in_trouble() -> None:
    """Whoever writes is told of the trouble; whoever has written is not held up by it."""
    async with chores() as world:
        queue = EventQueue("mail", capacity=1, timeout=5 * SECOND)

        class Down:
            """A store that cannot be read."""

            async def agenda_backlog(self, reactions: object, *, limit: int) -> int:
                """Refuse."""
                raise StoreDown("lending", reason="gone")

            def __getattr__(self, name: str) -> object:
                return getattr(store, name)

        store, world.store = world.store, Down()
        async with world.queues(queue) as queues:
            assert await queues.room([queue], more=1) is None


async def test_several_items_are_acknowledged_together() -> None:
    """A dead letter outweighs a success; until the last has ended they are still queued."""
    async with chores() as world:
        queue = EventQueue("mail", durable=False, immediate=0, schedule=Schedule().times(0))
        world.handler = failing("b", "c")
        async with world.queues(queue) as queues:
            with world.lookout.expect(["a", "b", "c"]) as expected:
                queues.put([notice("a")])
                await until(world.time, lambda: world.counts.handled == 1)
                assert expected.answer == StillQueued()
                queues.put([notice("b"), notice("c")])
                ended = await expected.acknowledged(MINUTE)
        assert isinstance(ended, GivenUp)
        assert sorted(ended.letters) == ["b", "c"]


async def test_an_acknowledgement_comes_at_the_timeout_at_the_latest() -> None:
    """Whoever works, or nobody."""
    async with chores() as world:
        answers: list[object] = []
        async with world.queues(EventQueue("mail")), create_task_group() as group:

            async def wait() -> None:
                with world.lookout.expect(["a"]) as expected:
                    await world.add(chore("a"))
                    answers.append(await expected.acknowledged(5 * SECOND))

            group.start_soon(wait)
            await until(world.time, lambda: answers == [StillQueued()])
        assert world.time.elapsed >= 5.0


async def test_an_end_that_this_process_did_not_see_is_found_in_the_store() -> None:
    """Handled by another process, or given up: a letter has the item's id."""
    async with chores() as world:
        world.handler = failing("b", failure="dead_letter")
        answers: dict[str, object] = {}
        async with world.queues(EventQueue("mail")), create_task_group() as group:

            async def wait(id: str) -> None:
                with world.lookout.expect([id]) as expected:
                    answers[id] = await expected.acknowledged(MINUTE)

            await world.add(chore("a"), chore("b"))
            for id in ("a", "b"):
                group.start_soon(wait, id)
            async with world.workers(ended=lambda id, ending: None).running():
                await until(world.time, lambda: len(answers) == 2)
        assert answers == {"a": Handled(), "b": GivenUp(("b",))}
        assert world.counts == AgendaCounts(handled=1, buried=1)


async def test_closing_answers_everybody_with_what_is_known() -> None:
    """Whoever comes later is answered at once."""
    async with chores() as world:
        answers: list[object] = []
        await world.add(chore("a"))
        async with create_task_group() as group:
            async with world.queues(EventQueue("mail")):

                async def wait() -> None:
                    with world.lookout.expect(["a"]) as expected:
                        answers.append(await expected.acknowledged(MINUTE))

                group.start_soon(wait)
                await steps()
            await steps()
        with world.lookout.expect(["b"]) as expected:
            answers.append(await expected.acknowledged(MINUTE))
        assert answers == [StillQueued(), StillQueued()]
