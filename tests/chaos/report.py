"""What a run prints and writes: sentences for people, one line of JSON for machines, a file for the docs."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import asdict, fields

from tests.chaos.driver import Result
from tests.chaos.failpoints import POINTS
from tests.chaos.fleet import ROOT
from tests.chaos.oracle import Verdict

RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "concepts" / "reliability.md"
BEGIN: Final = "<!-- results: python -m tests.chaos --write -->"
END: Final = "<!-- end of results -->"
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
    verdict = asdict(result.verdict)
    examples = [f"{name}: {example}" for name, found in verdict.items() for example in found[:SHOWN]]
    return "\n".join((summary(row(result)), *examples, "nothing is wrong" if is_clean(result) else "PROMISES BROKEN"))


def summary(record: dict[str, Any]) -> str:
    """Tell the figures of a run, from its line or its result file."""
    waves = record["recoveries"]
    lines = [
        f"{record['kills']} kills with seed {record['seed']} in {record['seconds']:g} s: "
        f"{record['deaths']} processes died",
        *(f"  {point:<8} {count:>4}  {_place(point)}" for point, count in record["points"].items()),
        f"{record['missed']} orders to die were not carried out in time and replaced by a kill from outside",
        f"{record['acknowledged']} payments acknowledged, {record['refused']} refused, "
        f"{record['unknown']} given up unanswered",
        f"{record['received']} messages received, {record['duplicates']} of them again; "
        f"handlers ran {record['handled']} times",
        f"recovered under load {len(waves)} times: median {median(waves):g} s, worst {max(waves):g} s; "
        f"quiet {record['quiet']:g} s after the load",
        "  ".join(f"{field.name} {record[field.name]}" for field in fields(Verdict)),
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
    write_page()
    return path


def quoted() -> str:
    """Give what the page says between its two marks: every result file, the smallest run first."""
    records = [json.loads(path.read_text()) for path in RESULTS.glob("kills-sqlite-*.json")]
    return "\n\n".join(_quote(record) for record in sorted(records, key=lambda record: int(record["kills"])))


def _quote(record: dict[str, Any]) -> str:
    where = (
        f"`benchmarks/results/kills-sqlite-{record['kills']}.json`: {record['cores']} cores, "
        f"Python {record['python']}, SQLite {record['sqlite']}, at {record['commit'][:10]}."
    )
    return f"{where}\n\n```text\n{summary(record)}\n```"


def write_page(page: Path = PAGE) -> None:
    """Replace what stands between the two marks of the page by what the result files say."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{quoted()}\n{END}{after}")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
