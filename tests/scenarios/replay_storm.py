"""Very many dead letters replayed while live traffic runs on the same file, by a process that is killed half way.

`python -m tests.scenarios.replay_storm [--count N] [--per-second R]` writes down, as
`benchmarks/results/replay-100k.json`, that each was replayed once, and what that did to the slowest live commands.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, Never, TextIO

import anyio
from anyio.abc import Process
from attrs import define, evolve, frozen

from benchmarks._results import RESULTS, machine, revision
from effect_runtime import App, Context, Do, Schedule, Transaction, operation
from effect_runtime.dispatch import Ledger
from effect_runtime.integration import encode_message, make_envelope
from effect_runtime.interpreter import Host
from effect_runtime.outbox import DeadLetter
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.transports import InProcess
from tests.dispatch.world import Keep, NoteEvents, NoteKept

SUBSCRIPTION: Final = "storm.notes"
ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = Migration(
    1,
    "effects and notes",
    (
        "CREATE TABLE effect (key TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT",
        "CREATE TABLE note (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",
    ),
)
BATCH: Final = 500
PACE: Final = 50
"""Live commands in a second."""


@frozen
class Rows:
    """Both tables."""

    session: SqliteSession

    @operation(kind="transactional")
    async def keep(self, key: str, value: int) -> None:
        """Keep a note."""
        await self.session.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, value))

    @operation(kind="transactional")
    async def count(self, key: str) -> None:
        """Count an effect."""
        await self.session.execute(
            "INSERT INTO effect VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET count = count + 1", (key,)
        )


@frozen
class StormRuntime:
    """What both handlers use."""

    rows: Rows


storm = Context("storm", StormRuntime)
notes = storm.subscribe(NoteEvents, id=SUBSCRIPTION, start="earliest", schedule=Schedule().times(1))


@notes.on(NoteKept)
def count(event: NoteKept) -> Do[None, Never, StormRuntime]:
    """Count what was replayed."""
    rt = yield from storm.runtime
    yield from rt.rows.count(event.key)


@storm.command(access="public")
def keep(command: Keep) -> Do[None, Never, StormRuntime]:
    """Be live traffic."""
    rt = yield from storm.runtime
    yield from rt.rows.keep(command.key, command.value)


def make(tx: Transaction[SqliteSession]) -> StormRuntime:
    """Build what one unit may use."""
    return StormRuntime(Rows(tx.session))


def app_on(file: Path) -> App:
    """Describe the application."""
    store = SqliteStore(file, migrations=[SCHEMA])
    return App("storm", wire=InProcess(), foreign_topics=[NoteEvents], contexts=[storm.bind(make, store=store)])


@define
class Live:
    """Live traffic; how long each command took, from the moment at which it was to begin, is a line of a file."""

    app: App
    lines: TextIO
    phase: str = "alone"
    stop: bool = False

    async def run(self) -> None:
        """Ask for commands at an even pace until told to stop."""
        began, asked = perf_counter(), 0
        while not self.stop:
            planned = began + asked / PACE
            await anyio.sleep(max(0.0, planned - perf_counter()))
            await self.app.run(keep(Keep(f"n{asked % 1_000}", asked)))
            print(self.phase, perf_counter() - planned, file=self.lines, flush=True)
            asked += 1


def p99(seconds: Sequence[float]) -> float:
    """Return the time that one in a hundred exceeds."""
    return sorted(seconds)[len(seconds) * 99 // 100]


async def buried(file: Path, letters: int) -> None:
    """Store so many dead letters, each of one event without a place in any order."""
    async with SqliteStore(file, migrations=[SCHEMA]).opened(Host()) as store:
        for first in range(0, letters, BATCH):
            async with store.unit() as unit:
                await unit.begin()
                for number in range(first, min(first + BATCH, letters)):
                    await unit.inbox.bury(_letter(number))
                await unit.commit(Ledger())


def _letter(number: int) -> DeadLetter:
    now = datetime.now(UTC)
    made = make_envelope(NoteKept(f"k{number}"), id=f"e-{number}", source="/storm", time=now, correlation="c")
    envelope = evolve(made, key=None)
    return DeadLetter(
        id=f"l-{number}",
        side="inbox",
        destination=SUBSCRIPTION,
        topic=envelope.topic,
        key=None,
        sequence=None,
        event=envelope.id,
        type=envelope.type,
        body=encode_message(envelope).body,
        cause="the code could not read it yet",
        history=("the code could not read it yet",),
        attempts=1,
        blocks=False,
        at=now,
    )


async def serve(file: Path, before: str, per_second: float, quiet: float) -> None:
    """Be the process that answers live traffic, and replays all letters meanwhile; it may be killed and begun again."""
    app = app_on(file)
    with file.with_suffix(".lines").open("a", encoding="ascii") as lines:
        async with app.running(relay=False), anyio.create_task_group() as tasks:
            live = Live(app, lines)
            tasks.start_soon(live.run)
            await anyio.sleep(quiet)
            live.phase = "beside"
            await app.dead_letters.replay_all(before=datetime.fromisoformat(before), per_second=per_second)
            live.phase = "after"
            await anyio.sleep(quiet)
            live.stop = True


@asynccontextmanager
async def serving(file: Path, before: datetime, per_second: float, quiet: float) -> AsyncIterator[Process]:
    """Run that process; it is dead when this is left."""
    words = [str(file), before.isoformat(), str(per_second), str(quiet)]
    command = [sys.executable, "-m", "tests.scenarios.replay_storm", "--serve", *words]
    async with await anyio.open_process(command, cwd=ROOT, stdout=None, stderr=None) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


def asked(file: Path, statement: str) -> list[Any]:
    """Ask the file."""
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        return connection.execute(statement).fetchone()  # type: ignore[no-any-return]  # a row


async def measured(file: Path, *, letters: int, per_second: float, quiet: float) -> dict[str, Any]:
    """Replay all letters beside live traffic, kill the process half way and begin again; return what came of it."""
    await buried(file, letters)
    before, began = datetime.now(UTC), perf_counter()
    async with serving(file, before, per_second, quiet):
        while (killed_at := replayed_in(file)) < letters // 2:
            await anyio.sleep(0.5)
    async with serving(file, before, per_second, quiet) as process:
        await process.wait()
    once, most = asked(file, "SELECT count(*), max(count) FROM effect")
    dead = asked(file, "SELECT count(*) FROM er_dead WHERE state = 'dead'")[0]
    lines = [line.split() for line in file.with_suffix(".lines").read_text(encoding="ascii").splitlines()]
    alone = [float(seconds) for phase, seconds in lines if phase == "alone"]
    beside = [float(seconds) for phase, seconds in lines if phase == "beside"]
    ratio = p99(beside) / p99(alone)
    return {
        "claim": "each letter is replayed once, also by a process that is killed, and live p99 stays below 1.5 times",
        "letters": letters,
        "per_second": per_second,
        "live_per_second": PACE,
        "replayed_when_killed": killed_at,
        "handled_once": once if most == 1 else 0,
        "handled_at_most": most,
        "left_dead": dead,
        "live_commands": {"alone": len(alone), "beside the replay": len(beside)},
        "live_p50_ms": {"alone": _ms(p50(alone)), "beside the replay": _ms(p50(beside))},
        "live_p99_ms": {"alone": _ms(p99(alone)), "beside the replay": _ms(p99(beside))},
        "ratio": round(ratio, 2),
        "verdict": "met" if ratio < 1.5 and once == letters and most == 1 and dead == 0 else "missed",
        "seconds": round(perf_counter() - began, 1),
    }


def replayed_in(file: Path) -> int:
    """Return how many letters are closed."""
    return int(asked(file, "SELECT count(*) FROM er_dead WHERE state = 'replayed'")[0])


def p50(seconds: Sequence[float]) -> float:
    """Return the time that half of them exceed."""
    return sorted(seconds)[len(seconds) // 2]


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 2)


def main(arguments: Sequence[str]) -> int:
    """Run a storm and write down what came of it; 0 if each letter was replayed once."""
    if arguments[:1] == ["--serve"]:
        anyio.run(serve, Path(arguments[1]), arguments[2], float(arguments[3]), float(arguments[4]))
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.replay_storm", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--per-second", type=float, default=400)
    parser.add_argument("--quiet", type=float, default=30, help="seconds of live traffic alone, before and after")
    words = parser.parse_args(arguments)
    commit, clean = revision()
    with TemporaryDirectory() as folder:
        record = anyio.run(
            lambda: measured(
                Path(folder) / "storm.db", letters=words.count, per_second=words.per_second, quiet=words.quiet
            )
        )
    record |= {"commit": commit, "clean": clean, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    record["machine"] = machine()
    print(json.dumps(record, indent=1))
    if words.count >= 100_000:
        (RESULTS / "replay-100k.json").write_text(json.dumps(record, indent=1) + "\n")
    return 0 if record["handled_at_most"] == 1 and record["left_dead"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
