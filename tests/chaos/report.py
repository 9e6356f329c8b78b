"""What a run prints and writes: sentences for people, one line of JSON for machines, a file for the docs."""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Final

from attrs import asdict

from tests.chaos.driver import Result
from tests.chaos.failpoints import POINTS

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "benchmarks" / "results"
SHOWN: Final = 5


def row(result: Result) -> dict[str, Any]:
    """Give the line that machines read: counts, and up to a few examples of what is wrong."""
    wrong = {name: list(found) for name, found in asdict(result.verdict).items()}
    return {
        "kills": result.settings.kills,
        "seed": result.settings.seed,
        **{name: len(found) for name, found in wrong.items()},
        "recovery": result.recovery.worst,
        "recovery_median": result.recovery.median,
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
    facts = row(result)
    lines = [
        f"{facts['kills']} kills with seed {facts['seed']} in {facts['seconds']} s: {facts['deaths']} processes died, "
        f"{facts['missed']} did not come to their point",
        *(
            f"  {point:<12} {count:>4}  {POINTS.get(point, 'at a random moment')}".rstrip()
            for point, count in result.counts.points.items()
        ),
        f"{facts['acknowledged']} payments acknowledged, {facts['refused']} refused, {facts['unknown']} given up with "
        f"their outcome unknown",
        f"{facts['received']} messages received, {facts['duplicates']} of them not for the first time; handlers ran "
        f"{facts['handled']} times",
        f"recovery after a kill: median {facts['recovery_median']} s, worst {facts['recovery']} s; "
        f"quiet {facts['quiet']} s after the load ended",
        "  ".join(f"{name} {facts[name]}" for name in asdict(result.verdict)),
    ]
    for name, examples in facts["examples"].items():
        lines += [f"{name}: {example}" for example in examples]
    return "\n".join([*lines, "nothing is wrong" if facts["ok"] else "PROMISES BROKEN"])


def write(result: Result) -> Path:
    """Write the result file that the docs quote; a former one is replaced."""
    record = row(result) | {
        "commit": _git("rev-parse", "HEAD"),
        "clean": not _git("status", "--porcelain", "--", "effect_runtime", "tests/chaos"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "each_recovery": result.recovery.each,
    }
    path = RESULTS / f"kills-sqlite-{result.settings.kills}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
