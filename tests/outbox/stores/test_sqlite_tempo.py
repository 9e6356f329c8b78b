"""Where COMMIT runs: at once in the event loop while it is quick and nobody waits, otherwise on the store's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.errors import TransactionLost
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from effect_runtime.outbox.sqlite._tempo import IN_A_ROW, QUICK, SMALL, TRUSTED, Tempo
from tests.outbox.stores.world import NOTHING, ManualTime, committed, put, sqlite_store, still_host

pytestmark = pytest.mark.anyio

IN_TURN = ["thread"] + ["loop"] * IN_A_ROW


@define
class TickingTime(ManualTime):
    """A clock on which whatever is measured has taken `tick` seconds."""

    tick: float = 0.0
    ticks: float = 0.0

    def monotonic(self) -> float:
        """Return the next reading."""
        self.ticks += self.tick
        return self.ticks


def watch(store: OpenSqlite) -> Callable[[], list[str]]:
    """Return a function that tells where each COMMIT since the last question ran."""
    here = threading.get_ident()
    ran: list[str] = []

    def noted(statement: str) -> None:
        if statement == "COMMIT":
            ran.append("loop" if threading.get_ident() == here else "thread")

    def told() -> list[str]:
        answer = ran[:]
        ran.clear()
        return answer

    store._writer.connection.set_trace_callback(noted)
    return told


async def write(store: OpenSqlite, count: int, *, each: int = 1) -> None:
    """Write so many units of so many rows, one unit after the other."""
    for number in range(count):
        async with store.unit() as unit:
            for row in range(each):
                await put(unit.session, f"{number} {row}", "1")
            await unit.commit(NOTHING)


async def trusted(store: OpenSqlite) -> Callable[[], list[str]]:
    """Commit quickly until the next COMMIT may run in the loop; watch from there."""
    await write(store, TRUSTED)
    return watch(store)


async def test_quick_commits_move_to_the_loop_and_let_others_have_a_turn(sqlite: OpenSqlite) -> None:
    """The first ones are measured on the thread; later one in a few still goes there."""
    places = watch(sqlite)
    await write(sqlite, TRUSTED + 2 * len(IN_TURN))
    assert places() == ["thread"] * TRUSTED + [*IN_TURN[1:], "thread"] * 2


async def test_one_slow_commit_sends_the_next_ones_to_the_thread(tmp_path: Path) -> None:
    """A disk that becomes slow may hold the loop up once, and is trusted again when it has been quick for a while."""
    time = TickingTime()
    async with sqlite_store(tmp_path).opened(still_host(time)) as store:
        places = await trusted(store)
        time.tick = QUICK
        await write(store, 1)
        time.tick = 0.0
        await write(store, TRUSTED + 1)
        assert places() == ["loop"] + ["thread"] * TRUSTED + ["loop"]


async def test_slow_commits_stay_on_the_thread(tmp_path: Path) -> None:
    """A disk that was never quick never holds the loop up."""
    async with sqlite_store(tmp_path).opened(still_host(TickingTime(tick=QUICK))) as store:
        places = watch(store)
        await write(store, 2 * TRUSTED)
        assert places() == ["thread"] * (2 * TRUSTED)


async def test_a_large_transaction_goes_to_the_thread(sqlite: OpenSqlite) -> None:
    """How long small ones took says nothing about it."""
    places = await trusted(sqlite)
    await write(sqlite, 1, each=SMALL + 1)
    await write(sqlite, 1, each=SMALL)
    assert places() == ["thread", "loop"]


async def test_units_that_wait_share_a_commit_on_the_thread(sqlite: OpenSqlite) -> None:
    """A quick disk does not undo group commit: where somebody waits, the loop is not held up for one."""
    places = await trusted(sqlite)
    async with anyio.create_task_group() as tasks, sqlite.unit() as first:
        await put(first.session, "first", "1")
        for _ in range(5):
            tasks.start_soon(write, sqlite, 1)
        await anyio.wait_all_tasks_blocked()
        await first.commit(NOTHING)
    assert places() == ["thread"]


async def test_callers_that_never_wait_still_become_a_crowd(sqlite: OpenSqlite) -> None:
    """A COMMIT on the thread lets the others begin, and from then on they commit together."""
    places = await trusted(sqlite)
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(write, sqlite, 20)
    ran = places()
    assert ran[: len(IN_TURN)] == [*IN_TURN[1:], "thread"]
    assert len(ran) < 8 * 20 // 2


async def test_a_unit_that_changed_nothing_lets_others_have_a_turn(sqlite: OpenSqlite) -> None:
    """Nothing has to become durable, so no thread is ever asked; a long row of such units still stops nobody."""
    await trusted(sqlite)
    turned = anyio.Event()

    async def turn() -> None:
        turned.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn)
        for _ in range(2):  # trio draws lots for who is first in one round
            async with sqlite.unit() as unit:
                await unit.begin()
                await unit.commit(NOTHING)
        assert turned.is_set()


async def test_a_commit_that_fails_in_the_loop_is_told_as_on_the_thread(tmp_path: Path) -> None:
    """Nothing is kept, the caller hears why, and the next unit begins a transaction of its own."""
    child = Migration(
        1,
        "rows",
        ["CREATE TABLE rows(key TEXT PRIMARY KEY, value TEXT REFERENCES rows DEFERRABLE INITIALLY DEFERRED)"],
    )
    store = SqliteStore(tmp_path / "store.db", migrations=[child])
    async with store.opened(still_host()) as opened:
        for number in range(TRUSTED):
            async with opened.unit() as unit:
                await put(unit.session, str(number), str(number))
                await unit.commit(NOTHING)
        places = watch(opened)
        with pytest.raises(TransactionLost, match="FOREIGN KEY"):
            async with opened.unit() as unit:
                await put(unit.session, "orphan", "nobody")
                await unit.commit(NOTHING)
        async with opened.unit() as unit:
            await put(unit.session, "own", "own")
            await unit.commit(NOTHING)
        assert places() == ["loop", "loop"]
        kept = await committed(opened)
        assert ("orphan" in kept, kept["own"]) == (False, "own")


@pytest.mark.parametrize("commits", ["thread", "inline"])
async def test_a_store_that_was_told_where_to_commit_does_so(tmp_path: Path, commits: str) -> None:
    """`commits="thread"` and `commits="inline"` measure nothing."""
    async with sqlite_store(tmp_path, commits=commits).opened(still_host()) as store:
        places = watch(store)
        await write(store, TRUSTED + 3)
        assert places() == ["thread" if commits == "thread" else "loop"] * (TRUSTED + 3)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 2 * SMALL), st.floats(0, 2 * QUICK)), max_size=80))
def test_the_loop_is_held_up_only_after_quick_commits(commits: list[tuple[bool, int, float]]) -> None:
    """Whatever happened, a COMMIT in the loop is lone, small, follows quick ones only, and is one of a few in a row."""
    tempo, before, in_a_row = Tempo(), list[float](), 0
    for lone, changed, seconds in commits:
        recent = before[-TRUSTED:]
        trusts = len(recent) == TRUSTED and max(recent) < QUICK
        expected = lone and changed <= SMALL and trusts and in_a_row < IN_A_ROW
        assert tempo.is_at_once(lone=lone, changed=changed) == expected
        in_a_row = in_a_row + 1 if expected else 0
        tempo.took(seconds)
        before.append(seconds)
