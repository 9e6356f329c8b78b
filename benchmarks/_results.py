"""Result files: what a run wrote down, so that a page may quote it and anyone may repeat it.

Knows the shape of `benchmarks/results/NAME.json` and of a printed line. Names no machine: cores and versions only.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from benchmarks._environments import ENVIRONMENTS, ROOT
from benchmarks._observe import SEED, Comparison
from benchmarks._workload import Workload

RESULTS = ROOT / "benchmarks" / "results"
Row = dict[str, Any]  # edge: JSON


def row_of(comparison: Comparison) -> Row:
    """Give the line that is printed for a comparison."""
    workload, target = comparison.workload, comparison.workload.target
    judged = comparison.ratio if target.of == "ratio" else comparison.ours_alone
    return {
        "name": workload.name,
        "ours": _short(comparison.ours_alone.centre),
        "theirs": _short(comparison.ours_alone.centre / comparison.ratio.centre),
        "peer": workload.peer,
        "unit": workload.unit,
        "ratio": _short(comparison.ratio.centre),
        "low": _short(judged.low),
        "high": _short(judged.high),
        "target": target.bound,
        "met": comparison.verdict,
    }


def skipped_row(workload: Workload, reason: str) -> Row:
    """Give the line that is printed for a workload that cannot run here."""
    figures = dict.fromkeys(("ours", "theirs"), None)
    ratios = dict.fromkeys(("ratio", "low", "high"), None)
    return {
        "name": workload.name,
        **figures,
        "peer": workload.peer,
        "unit": workload.unit,
        **ratios,
        "target": workload.target.bound,
        "met": f"skipped: {reason}",
    }


def write(comparison: Comparison) -> Path:
    """Write the result file of a comparison; a former one is replaced."""
    workload, target = comparison.workload, comparison.workload.target
    commit, clean = revision()
    record = row_of(comparison) | {
        "claim": workload.claim,
        "judged": target.of,
        "better": target.better,
        "stretch": target.stretch,
        "noise": _short(comparison.noise),
        "commit": commit,
        "clean": clean,
        "began": comparison.began.isoformat(timespec="seconds"),
        "seconds": round(comparison.seconds, 1),
        "seed": SEED,
        "count": workload.count,
        "rounds": len(comparison.ours),
        "python": dict(zip(("ours", "theirs"), comparison.pythons, strict=True)),
        "packages": list(_packages(workload)),
        "machine": machine(),
        "answer": workload.expected(workload.count),
        "observations": {
            "ours": [_short(each) for each in comparison.ours],
            "theirs": [_short(each) for each in comparison.theirs],
            "theirs against theirs": [[_short(a), _short(b)] for a, b in comparison.same],
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{workload.name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def read_all() -> dict[str, Row]:
    """Read every result file, by name of workload. What others wrote there is quoted by other pages."""
    others = ("kills-", "due-", "simulated-", "corpus", "fuzz", "replay-", "explored")
    paths = sorted(path for path in RESULTS.glob("*.json") if not path.name.startswith(others))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def machine() -> Row:
    """Describe this machine by what matters for the figures, and by nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "implementation": platform.python_implementation(),
        "sqlite": sqlite3.sqlite_version,
    }


def _packages(workload: Workload) -> tuple[str, ...]:
    environment = ENVIRONMENTS.get(workload.theirs.environment)
    return () if environment is None else environment.packages


def revision() -> tuple[str, bool]:
    """Give the commit that was measured, and whether library and workloads were as committed."""
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "effect_runtime", "benchmarks/*.py", "benchmarks/peers")
    return head, not changed


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _short(figure: float) -> float:
    """Round to four significant places: more would claim a precision that no interval here has."""
    return float(f"{figure:.4g}")
