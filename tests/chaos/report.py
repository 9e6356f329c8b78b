"""What a run prints and writes: sentences for people, a file for the docs, and the page that quotes it."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Final

from tests.chaos.failpoints import POINTS
from tests.chaos.fleet import ROOT
from tests.chaos.rounds import PROMISES, Record

RESULTS: Final = ROOT / "benchmarks" / "results"
RESULT: Final = RESULTS / "kills-sqlite.json"
PAGE: Final = ROOT / "docs" / "concepts" / "reliability.md"
BEGIN: Final = "<!-- results: python -m tests.chaos --write -->"
END: Final = "<!-- end of results -->"


def told(record: Record) -> str:
    """Tell a run in a few lines, with examples of what is wrong."""
    examples = [
        f"seed {seed}: {promise}: {example}"
        for seed, broken in record["examples"].items()
        for promise, found in broken.items()
        for example in found
    ]
    return "\n".join((summary(record), *examples, "nothing is wrong" if record["ok"] else "PROMISES BROKEN"))


def told_round(record: Record) -> str:
    """Tell a round in one line."""
    wrong = [f"{name} {record[name]}" for name in PROMISES if record[name]]
    return (
        f"round {record['seed']}: {record['kills']} kills on {record['cell']} in {record['seconds']:g} s, "
        f"{record['stale']} stale, recovered in {max(record['recoveries']):g} s: {', '.join(wrong) or 'clean'}"
    )


def summary(record: Record) -> str:
    """Tell the figures of a run, from its rounds added up or from its result file."""
    dealt, recovery = record["dealt"], record["recovery"]
    lines = [
        f"{record['kills']} kills in {record['rounds']} rounds on {len(record['cells'])} shapes of the shop, "
        f"seeds {', '.join(record['seeds'])}, in {record['seconds']:g} s: {record['deaths']} processes died",
        *(f"  {point:<8} {count:>5}  {_place(point)}" for point, count in record["points"].items()),
        f"{record['missed']} orders to die were not carried out in time and replaced by a kill from outside",
        f"{dealt.get('stops', 0)} processes stopped for longer than their leases, {dealt.get('full disks', 0)} times no"
        f" space, {dealt.get('clock steps', 0)} clocks set by ten minutes",
        f"{record['acknowledged']} payments acknowledged, {record['refused']} refused, "
        f"{record['unknown']} given up unanswered; {record['unavailable']} times asked to come again",
        f"{record['received']} messages received, {record['duplicates']} of them again; "
        f"handlers ran {record['handled']} times",
        f"{record['stale']} settlements came too late and were refused; {record['letters']} dead letters were replayed",
        f"recovered under load {recovery['waves']} times: median {recovery['median']:g} s, "
        f"worst {recovery['worst']:g} s; quiet {record['quiet']:g} s after the load at worst",
        "  ".join(f"{name} {record[name]}" for name in PROMISES),
    ]
    if record["bound"] is not None:
        lines.append(f"fewer than {record['bound']:.2%} of such kills do harm, with a confidence of 95 %")
    return "\n".join(lines)


def _place(point: str) -> str:
    return POINTS.get(point, "from outside, at any moment")


def commit() -> str:
    """Return what is being tested: the commit, with a plus sign when library or test differ from it, or "unknown"."""
    if which("git") is None:
        return "unknown"
    changed = _git("status", "--porcelain", "--", "effect_runtime", "tests/chaos")
    return _git("rev-parse", "HEAD") + ("+" if changed else "")


def write(record: Record) -> Path:
    """Write the result file that the docs quote; a former one is replaced."""
    machine = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": os.cpu_count(),
    }
    RESULT.write_text(json.dumps(record | machine, indent=1) + "\n")
    write_page()
    return RESULT


def quoted() -> str:
    """Give what the page says between its two marks."""
    record = json.loads(RESULT.read_text())
    where = (
        f"`benchmarks/results/{RESULT.name}`: {record['cores']} cores, Python {record['python']}, "
        f"SQLite {record['sqlite']}, at {', '.join(each[:10] for each in record['commits'])}."
    )
    return f"{where}\n\n```text\n{summary(record)}\n```"


def write_page(page: Path = PAGE) -> None:
    """Replace what stands between the two marks of the page by what the result file says."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{quoted()}\n{END}{after}")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
