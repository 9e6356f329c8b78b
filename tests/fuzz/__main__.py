"""`python -m tests.fuzz --inputs 1000000 --seed S [--write]`: hostile inputs by the million, and what became of them.

Exit status 1 if anything but a documented error was raised, a message vanished, or memory grew without bound.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.fuzz.campaign import Batch, Record, batches, judged, resident, watched

ROOT: Final = Path(__file__).parents[2]
RESULT: Final = ROOT / "benchmarks" / "results" / "fuzz.json"
GROWTH: Final = 64 << 20
"""Bytes by which the process may grow in the second half of a run: caches and fragments, but no leak."""


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/fuzz.json")
    parser.add_argument("--atheris", action="store_true", help="let atheris choose messages; it takes its own options")
    words, rest = parser.parse_known_args()
    if words.atheris:
        return subprocess.call([sys.executable, "-m", "tests.fuzz.guided", *rest])
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    commit = _commit()
    started, record = time.monotonic(), Record()
    for batch in batches(words.inputs, words.seed):
        run(batch, record)
    seconds = time.monotonic() - started
    document = result(record, seed=words.seed, commit=commit, seconds=seconds)
    print(json.dumps(document, indent=1))
    if words.write:
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if document["ok"] else 1


def run(batch: Batch, record: Record) -> None:
    """Run a batch and say how far it is."""
    record.add(batch, judged(batch))
    if batch.target.startswith("messages"):
        watched(batch, record)
        record.memory.append(resident())
    print(sum(record.inputs.values()), dict(record.inputs), record.wrong[-1:], file=sys.stderr, flush=True)


def result(record: Record, *, seed: str, commit: str, seconds: float) -> dict[str, Any]:
    """Return what a run has found, as it is published."""
    half = record.memory[len(record.memory) // 2 :]
    grows = record.growth > GROWTH
    wrong = [*record.wrong, *(["unbounded memory: the process grew"] if grows else [])]
    return {
        "name": "fuzz",
        "command": f"python -m tests.fuzz --inputs {sum(record.inputs.values())} --seed {seed} --write",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "seed": seed,
        "inputs": dict(record.inputs),
        "outcomes": {target: dict(outcomes.most_common()) for target, outcomes in record.outcomes.items()},
        "crashes": sum("crash" in each for each in wrong),
        "silent_acks": sum("silent ack" in each for each in wrong),
        "wrong": wrong[:50],
        "messages_watched_for_memory": record.peaks,
        "process_bytes": {"at half": half[0] if half else 0, "at the end": half[-1] if half else 0},
        "grown_in_second_half": record.growth,
        "seconds": round(seconds, 1),
        "ok": not wrong,
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
