"""Scenario 39: two messages for one instance concurrently; a late message after completion; timeout against completion.

Observable: a single state version chain; a late message follows its policy; no lost update.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from effect_runtime import App
from effect_runtime.outbox import ConsumerCounts
from effect_runtime.transports import InProcess
from tests.library_example.trouble import Stammering
from tests.outbox.world import steps, turned_host
from tests.scenarios.pickups import (
    PATIENCE,
    Collect,
    HoldId,
    SetAside,
    Withdraw,
    collect,
    pickup_app,
    set_aside,
    withdraw,
)

pytestmark = pytest.mark.anyio

LONG_ENOUGH = 60
"""Seconds after which what was waited for is taken never to come."""

HOLDS = [HoldId(f"hold-{number:02}") for number in range(20)]
WAITING, COLLECTED, WITHDRAWN, EXPIRED = (1, "waiting"), (2, "collected"), (2, "withdrawn"), (2, "expired")


def chains(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """Return every version of every pickup that was ever written, and check that the row shows the last."""
    with closing(sqlite3.connect(folder / "pickups.db", isolation_level=None)) as file:
        file.execute("BEGIN")  # both tables as of one moment
        found: dict[str, list[tuple[int, str]]] = {}
        for hold, version, state in file.execute("SELECT hold_id, version, state FROM step ORDER BY hold_id, version"):
            found.setdefault(hold, []).append((version, state))
        rows = file.execute("SELECT hold_id, version, state FROM pickup ORDER BY hold_id").fetchall()
    assert rows == [(hold, *chain[-1]) for hold, chain in found.items()]
    return found


def offered(folder: Path) -> list[str]:
    """Return the holds whose copies the desk has offered to the next in line, as often as it did."""
    with closing(sqlite3.connect(folder / "desk.db")) as file:
        return sorted(hold for (hold,) in file.execute("SELECT hold_id FROM offer"))


def consumed(apps: Iterable[App]) -> ConsumerCounts:
    """Add up what the consumers of the process manager have done."""
    counts = [counts.consumer for app in apps for name, counts in app.counts().items() if "pickups" in name]
    return ConsumerCounts(
        ignored=sum(one.ignored for one in counts),
        buried=sum(one.buried for one in counts),
    )


async def backlog(apps: Iterable[App]) -> int:
    """Count the events that are committed and have not arrived."""
    return sum([health.backlog for app in apps for health in (await app.health()).values()])


async def quiet(*apps: App) -> None:
    """Wait until no event is on its way, whichever app has lent it."""
    for app in apps:
        await app.settled()
    with fail_after(LONG_ENOUGH):
        while await backlog(apps):
            await checkpoint()
    for app in apps:
        await app.settled()
    await steps(100)  # whoever has found nothing to do goes to sleep, on a clock that may be turned


async def waiting(holds: Iterable[HoldId], *apps: App) -> None:
    """Let copies wait for their patrons."""
    for hold in holds:
        await apps[0].run(set_aside(SetAside(hold)))
    await quiet(*apps)


async def test_scenario_39_two_messages_for_one_instance_make_one_chain(tmp_path: Path) -> None:
    """The desk and the web page speak of each hold at once, to two apps on one file, each message twice: one wins."""
    async with AsyncExitStack() as stack:
        apps = [pickup_app(tmp_path, Stammering()) for _ in range(2)]
        for app in apps:
            await stack.enter_async_context(app.running())
        await waiting(HOLDS, *apps)
        async with create_task_group() as tasks:
            for hold in HOLDS:
                tasks.start_soon(apps[0].run, collect(Collect(hold)))
                tasks.start_soon(apps[1].run, withdraw(Withdraw(hold)))
        await quiet(*apps)
        seen = chains(tmp_path)
        assert {hold: chain[:1] for hold, chain in seen.items()} == {hold: [WAITING] for hold in HOLDS}
        assert all(chain[1:] in ([COLLECTED], [WITHDRAWN]) for chain in seen.values())
        assert consumed(apps) == ConsumerCounts(ignored=len(HOLDS))
        assert await apps[0].agenda.list() == ()
        assert await apps[0].dead_letters.list() == ()


async def test_scenario_39_a_timeout_races_with_completion_and_one_of_them_wins(tmp_path: Path) -> None:
    """Each hold is due in the moment in which its copy is collected: it expires, or it is collected, never both."""
    async with pickup_app(tmp_path, InProcess()).running() as app:
        await waiting(HOLDS, app)
        timeouts = [entry.item.envelope.id for entry in await app.agenda.list()]
        assert len(timeouts) == len(HOLDS)
        async with create_task_group() as tasks:
            for hold, timeout in zip(HOLDS, timeouts, strict=True):
                tasks.start_soon(app.run, collect(Collect(hold)))
                tasks.start_soon(app.agenda.reschedule, timeout, datetime.now(UTC))
        await quiet(app)
        seen = chains(tmp_path)
        assert {hold: chain[:1] for hold, chain in seen.items()} == {hold: [WAITING] for hold in HOLDS}
        assert all(chain[1:] in ([COLLECTED], [EXPIRED]) for chain in seen.values())
        lost = [hold for hold, chain in seen.items() if chain[1] == EXPIRED]
        assert offered(tmp_path) == lost
        assert consumed([app]) == ConsumerCounts(ignored=len(lost))
        assert (await app.agenda.list(), await app.dead_letters.list()) == ((), ())


async def test_scenario_39_a_message_after_completion_changes_nothing(tmp_path: Path) -> None:
    """The days are over, the copy is the next one's: collecting and withdrawing are ignored, and counted."""
    host, time = turned_host()
    async with pickup_app(tmp_path, InProcess(), host).running() as app:
        await waiting(HOLDS[:1], app)
        time.turn(PATIENCE - timedelta(seconds=1))
        await quiet(app)
        assert chains(tmp_path) == {HOLDS[0]: [WAITING]}
        time.turn(timedelta(seconds=1))
        with fail_after(LONG_ENOUGH):
            while await app.agenda.list():
                await checkpoint()
        await quiet(app)
        await app.run(collect(Collect(HOLDS[0])))
        await app.run(withdraw(Withdraw(HOLDS[0])))
        await quiet(app)
        assert chains(tmp_path) == {HOLDS[0]: [WAITING, EXPIRED]}
        assert offered(tmp_path) == [HOLDS[0]]
        assert consumed([app]) == ConsumerCounts(ignored=2)
        assert await app.dead_letters.list() == ()


async def test_scenario_39_a_timeout_after_completion_never_comes(tmp_path: Path) -> None:
    """The end takes the timeout back in its own transaction: nothing is left on the agenda, nothing happens later."""
    host, time = turned_host()
    async with pickup_app(tmp_path, InProcess(), host).running() as app:
        await waiting(HOLDS[:1], app)
        await app.run(collect(Collect(HOLDS[0])))
        await quiet(app)
        assert await app.agenda.list() == ()
        time.turn(PATIENCE)
        await quiet(app)
        assert (chains(tmp_path), offered(tmp_path)) == ({HOLDS[0]: [WAITING, COLLECTED]}, [])


async def test_scenario_39_a_message_before_the_beginning_waits_for_it(tmp_path: Path) -> None:
    """The web page is heard before the desk: its message is tried again, and applied once the instance is there."""
    host, time = turned_host()
    async with pickup_app(tmp_path, InProcess(), host).running() as app:
        await app.run(withdraw(Withdraw(HOLDS[0])))
        await quiet(app)
        assert chains(tmp_path) == {}
        await waiting(HOLDS[:1], app)
        assert chains(tmp_path) == {HOLDS[0]: [WAITING]}
        time.turn(timedelta(seconds=1))
        with fail_after(LONG_ENOUGH):
            while chains(tmp_path) == {HOLDS[0]: [WAITING]}:
                await checkpoint()
        assert chains(tmp_path) == {HOLDS[0]: [WAITING, WITHDRAWN]}
        assert (await app.agenda.list(), await app.dead_letters.list()) == ((), ())
