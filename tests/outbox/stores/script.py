"""Small programs that run as processes of their own: `python -m tests.outbox.stores.script NAME FILE ARGUMENTS`.

Each prints a line, flushed, for everything that it was told: its parent is the ledger outside the system.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from effect_runtime.dispatch import Ledger
from effect_runtime.errors import StoreDown, StoreForked, TransactionLost
from effect_runtime.interpreter import system_host
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import CATALOG, NOTHING, ROWS, an_event, claim, put


def say(*words: object) -> None:
    """Tell the parent."""
    print(*words, flush=True)


async def count(store: OpenSqlite, name: str, times: str) -> None:
    """Add one to a shared counter, often, from eight tasks."""

    async def add() -> None:
        for _ in range(int(times) // 8):
            async with store.unit() as unit:
                row = await unit.session.fetch_one("SELECT value FROM rows WHERE key = 'counter'")
                await put(unit.session, "counter", str(int(row[0]) + 1 if row else 1))
                await unit.commit(NOTHING)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(add)
    say(name, "done")


async def write_for_ever(store: OpenSqlite, name: str) -> None:
    """Commit a row with its event, from four tasks, and tell each that is durable."""
    await store.register([CATALOG])

    async def write(task: int) -> None:
        number = 0
        while True:
            number += 1
            id = f"{name}-{task}-{number}"
            async with store.unit() as unit:
                await put(unit.session, id, "1")
                await unit.commit(Ledger(events=(an_event(id, f"key {task}"),)))
            say(id)

    async with anyio.create_task_group() as tasks:
        for task in range(4):
            tasks.start_soon(write, task)


async def claim_all(store: OpenSqlite, name: str) -> None:
    """Claim lanes until none is left and tell which."""
    while claims := await claim(store, owner=name, lanes=3):
        for claimed in claims:
            say(claimed.lane.key)


async def fork(store: OpenSqlite) -> None:
    """Use the store in a fork."""
    child = os.fork()
    if child == 0:
        try:
            await store.answer("c-1")
        except StoreForked as error:
            say(type(error).__name__)
        os._exit(0)
    os.waitpid(child, 0)
    say(await store.answer("c-1"))


async def fill_the_disk(store: OpenSqlite, limit: str) -> None:
    """Write until the file may not grow, then go on when it may again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    number = 0
    while True:
        number += 1
        try:
            await _fill(store, f"row {number}", alone=False)
        except TransactionLost:
            try:
                await _fill(store, f"row {number}", alone=True)
            except StoreDown:
                break
        say(f"row {number}")
    say("full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await _fill(store, "row after", alone=False)
    say("row after")


async def _fill(store: OpenSqlite, key: str, *, alone: bool) -> None:
    async with store.unit(alone=alone) as unit:
        await put(unit.session, key, "x" * 50_000)
        await unit.commit(NOTHING)


PROGRAMS: dict[str, Callable[..., Awaitable[None]]] = {
    "count": count,
    "write": write_for_ever,
    "claim": claim_all,
    "fork": fork,
    "fill": fill_the_disk,
}


async def main(program: str, file: str, *arguments: str) -> None:
    """Run one program on an open store."""
    async with SqliteStore(Path(file), migrations=[ROWS]).opened(system_host()) as store:
        await PROGRAMS[program](store, *arguments)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], *sys.argv[3:])
