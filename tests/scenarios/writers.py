"""One of several processes that write one file: `python -m tests.scenarios.writers FILE NAME COUNT`.

It says when it is open, waits for a line, writes, and says that it is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from effect_runtime.interpreter import system_host
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.stores.world import NOTHING, ROWS, put

EAGER = 20
"""Changed rows after which the log is copied back: few, so that a short run shows whether it is."""


async def write(file: Path, name: str, count: int) -> None:
    """Add one to a shared counter and replace a row of our own, `count` times, one unit after the other."""
    async with SqliteStore(file, migrations=[ROWS], checkpoint_after=EAGER).opened(system_host()) as store:
        print("open", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        for number in range(count):
            async with store.unit() as unit:
                row = await unit.session.fetch_one("SELECT value FROM rows WHERE key = 'counter'")
                await put(unit.session, "counter", str(int(row[0]) + 1 if row else 1))
                await put(unit.session, name, f"{number}" * 3_000)
                await unit.commit(NOTHING)
    print("done", flush=True)


if __name__ == "__main__":
    anyio.run(write, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
