"""Several real processes on one file, and one that is killed in the middle.

The programs are in `script`; what they print is the ledger outside the system.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from effect_runtime.interpreter import system_host
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.stores.world import CATALOG, ROWS, an_event, committed, publish


def start(program: str, file: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start one program of `script`."""
    command = [sys.executable, "-m", "tests.outbox.stores.script", program, str(file), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Wait for a program and return its lines."""
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return told.splitlines()


def kill_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Read some lines, kill the program with SIGKILL, and return all that it told."""
    with process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(lines)]
        process.kill()
        told += process.stdout.read().split("\n")
    # The last line may be torn; a whole one ends with a line feed, so what follows the last of them is dropped.
    return [line for line in told[:-1] if line]


def ask(file: Path, question: str) -> list[tuple[object, ...]]:
    """Ask the file itself, through a connection of our own."""
    connection = sqlite3.connect(file)
    try:
        return [tuple(row) for row in connection.execute(question)]
    finally:
        connection.close()


def test_processes_that_open_a_new_file_together_lose_no_update(tmp_path: Path) -> None:
    """Scenario 36: several processes migrate and write one file, and none of them ever hears that it is busy."""
    file = tmp_path / "shared.db"
    processes = [start("count", file, f"process {number}", "80") for number in range(4)]
    told = [finish(process) for process in processes]
    assert told == [[f"process {number} done"] for number in range(4)]
    assert ask(file, "SELECT value FROM rows WHERE key = 'counter'") == [("320",)]


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_process_leaves_all_that_it_told_and_nothing_half_done(tmp_path: Path, lines: int) -> None:
    """Scenario 1: rows and events join both ways, numbers have no gap, and the file is usable."""
    file = tmp_path / "killed.db"
    for incarnation in range(2):
        told = kill_after(start("write", file, f"life {incarnation}"), lines)
        rows = {row[0] for row in ask(file, "SELECT key FROM rows")}
        assert set(told) <= rows
    assert ask(file, "SELECT key FROM rows EXCEPT SELECT event FROM er_outbox") == []
    assert ask(file, "SELECT event FROM er_outbox EXCEPT SELECT key FROM rows") == []
    gaps = "SELECT key FROM er_outbox GROUP BY key HAVING max(sequence) <> count(*)"
    behind = "SELECT 1 FROM er_lane JOIN er_sequence USING (topic, key) WHERE er_lane.latest <> er_sequence.last"
    assert (ask(file, gaps), ask(file, behind), ask(file, "PRAGMA integrity_check")) == ([], [], [("ok",)])

    async def go_on() -> None:
        async with SqliteStore(file, migrations=[ROWS]).opened(system_host()) as store:
            await publish(store, an_event("after"))

    anyio.run(go_on)
    assert ask(file, "SELECT count(*) FROM er_outbox WHERE event = 'after'") == [(1,)]


def test_relays_of_several_processes_share_the_lanes(tmp_path: Path) -> None:
    """RelayStore 1: no lane is lent twice while its lease lasts."""
    file = tmp_path / "lanes.db"

    async def fill() -> None:
        async with SqliteStore(file, migrations=[ROWS]).opened(system_host()) as store:
            await store.register([CATALOG])
            await publish(store, *(an_event(f"e-{number}", f"key {number}") for number in range(60)))

    anyio.run(fill)
    processes = [start("claim", file, f"relay {number}") for number in range(3)]
    told = [line for process in processes for line in finish(process)]
    assert sorted(told) == sorted(f"key {number}" for number in range(60))


def test_a_store_is_refused_in_a_fork_and_goes_on_in_its_own_process(tmp_path: Path) -> None:
    """Store.opened: an inherited handle could damage the file."""
    assert finish(start("fork", tmp_path / "fork.db")) == ["StoreForked", "None"]


def test_a_disk_that_fills_up_keeps_what_was_told_and_takes_more_later(tmp_path: Path) -> None:
    """Scenario 34: clean failures while there is no space, everything that was told is there, and it goes on."""
    file = tmp_path / "full.db"
    told = finish(start("fill", file, "600000"))
    assert (told[-2:], len(told) > 2) == (["full", "row after"], True)
    rows = {row[0] for row in ask(file, "SELECT key FROM rows WHERE length(value) = 50000")}
    assert rows == {line for line in told if line != "full"}
    assert ask(file, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.anyio
async def test_a_commit_of_another_process_is_seen_by_the_version(tmp_path: Path) -> None:
    """RelayStore.version: it grows when any process has committed."""
    file = tmp_path / "version.db"
    async with SqliteStore(file, migrations=[ROWS]).opened(system_host()) as store:
        before = store.version()
        process = start("count", file, "other", "8")
        told = await anyio.to_thread.run_sync(finish, process)
        assert (told, store.version() > before) == (["other done"], True)
        assert await committed(store) == {"counter": "8"}
