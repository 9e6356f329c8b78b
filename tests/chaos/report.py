"""What a run prints and writes: sentences for people, one line of JSON for machines, a file for the docs."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import asdict

from tests.chaos.driver import Result
from tests.chaos.failpoints import POINTS
from tests.chaos.fleet import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results"
SHOWN: Final = 5


def row(result: Result) -> dict[str, Any]:
    """Give the line that machines read: counts, and up to a few examples of what is wrong."""
    wrong = {name: list(found) for name, found in asdict(result.verdict).items()}
    return {
        "kills": result.settings.kills,
        "seed": result.settings.seed,
        **{name: len(found) for name, found in wrong.items()},
        "recovery": max(result.recovery, default=0.0),
        "recoveries": list(result.recovery),
        "quiet": result.quiet,
        "seconds": result.seconds,
        "missed": result.missed,
        **asdict(result.counts),
        "sabotage": result.settings.sabotage,
        "ok": is_clean(result),
        "examples": {name: found[:SHOWN] for name, found in wrong.items() if found},
    }


def is_clean(result: Result) -> bool:
    """Tell whether nothing at all is wrong."""
    return not any(asdict(result.verdict).values())


def told(result: Result) -> str:
    """Tell a run in a few lines."""
    settings, counts, verdict = result.settings, result.counts, asdict(result.verdict)
    lines = [
        f"{settings.kills} kills with seed {settings.seed} in {result.seconds} s: {counts.deaths} processes died",
        *(f"  {point:<8} {count:>4}  {_place(point)}" for point, count in counts.points.items()),
        f"{result.missed} orders to die were not carried out in time and replaced by a kill from outside",
        f"{counts.acknowledged} payments acknowledged, {counts.refused} refused, {counts.unknown} given up unanswered",
        f"{counts.received} messages received, {counts.duplicates} of them again; handlers ran {counts.handled} times",
        f"recovered under load in {', '.join(map(str, result.recovery))} s; quiet {result.quiet} s after the load",
        "  ".join(f"{name} {len(found)}" for name, found in verdict.items()),
        *(f"{name}: {example}" for name, found in verdict.items() for example in found[:SHOWN]),
        "nothing is wrong" if is_clean(result) else "PROMISES BROKEN",
    ]
    return "\n".join(lines)


def _place(point: str) -> str:
    return POINTS.get(point, "from outside, at any moment")


def write(result: Result) -> Path:
    """Write the result file that the docs quote; a former one is replaced."""
    record = row(result) | {
        "commit": _git("rev-parse", "HEAD"),
        "clean": not _git("status", "--porcelain", "--", "effect_runtime", "tests/chaos"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": os.cpu_count(),
    }
    path = RESULTS / f"kills-sqlite-{result.settings.kills}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
