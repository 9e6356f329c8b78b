"""Rounds one after the other, each on a fleet and files of its own, and what they show together.

A round is a line of JSON. A run can be cut into parts and gone on with: lines of several logs are added up.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import mkdtemp
from typing import Any, Final

import anyio
from attrs import asdict, evolve, fields

from tests.chaos.driver import Counts, Result, Settings, play
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, shuffled_cells

ROUND: Final = 40
"""Kills in one round."""
SHOWN: Final = 5
"""How many examples are kept of each promise that a round has broken."""
Record = dict[str, Any]  # edge: JSON
PROMISES: Final = tuple(attribute.name for attribute in fields(Verdict))
_SUMS: Final = tuple(attribute.name for attribute in fields(Counts) if attribute.name not in ("engines", "points"))


def rounds(settings: Settings, cell: Cell | None) -> Iterator[Settings]:
    """Cut a run into rounds: each has a seed of its own, and its share of the kills; without a cell, all in turn."""
    cells = shuffled_cells(settings.seed)
    for number, start in enumerate(range(0, settings.kills, ROUND)):
        kills = min(ROUND, settings.kills - start)
        yield evolve(settings, kills=kills, seed=settings.seed + number, cell=cell or next(cells))


def played(plan: Sequence[Settings], *, commit: str, log: Path | None, keep: bool) -> Iterator[Record]:
    """Play rounds and yield their records, those that a log has already without playing them again."""
    known = {record["seed"]: record for record in read_log(log)} if log is not None and log.exists() else {}
    for settings in plan:
        if settings.seed in known:
            yield known[settings.seed]
            continue
        record = _played(settings, keep=keep) | {"commit": commit}
        if log is not None:
            with log.open("a") as lines:
                lines.write(f"{json.dumps(record)}\n")
        yield record


def _played(settings: Settings, *, keep: bool) -> Record:
    folder = Path(mkdtemp(prefix="chaos-"))
    result = anyio.run(play, settings, folder)
    record = recorded(result)
    if keep or not result.is_clean:
        print(f"files and ledgers: {folder}", f"again: {again(settings)}", sep="\n", file=sys.stderr)
    else:
        rmtree(folder)
    return record


def again(settings: Settings) -> str:
    """Return the command that plays a round again."""
    words = ["python", "-m", "tests.chaos", "--kills", str(settings.kills), "--seed", str(settings.seed)]
    words += ["--cell", named(settings.cell), "--accounts", str(settings.accounts), "--sick", str(settings.sick)]
    if settings.points:
        words += ["--points", ",".join(settings.points)]
    if settings.sabotage is not None:
        words += ["--sabotage", settings.sabotage]
    return shlex.join([*words, "--keep"])


def named(cell: Cell) -> str:
    """Return a cell as the command line has it: producers, relays, consumers, files, and a `w` for a whole one."""
    return f"{cell.producers}/{cell.relays}/{cell.consumers}/{cell.files}{'w' if cell.whole else ''}"


def cell_named(text: str) -> Cell:
    """Read a cell from the command line; raises `ValueError`."""
    producers, relays, consumers, files = (int(part) for part in text.rstrip("w").split("/"))
    if not all(1 <= count <= 3 for count in (producers, relays, consumers)) or files not in (1, 2):
        raise ValueError(text)
    whole = text.endswith("w")
    return Cell(producers=producers, relays=relays, consumers=consumers, files=files, whole=whole)


def recorded(result: Result) -> Record:
    """Return a round as a line of JSON: what was done, what was counted, and examples of what is wrong."""
    wrong = {name: list(found) for name, found in asdict(result.verdict).items()}
    settings = result.settings
    return {
        "kills": settings.kills,
        "seed": settings.seed,
        "cell": named(settings.cell),
        "sabotage": settings.sabotage,
        **{name: len(found) for name, found in wrong.items()},
        **asdict(result.counts),
        "dealt": dict(result.dealt),
        "missed": result.missed,
        "recoveries": list(result.recovery),
        "quiet": result.quiet,
        "seconds": result.seconds,
        "examples": {name: found[:SHOWN] for name, found in wrong.items() if found},
    }


def read_log(log: Path) -> Iterator[Record]:
    """Yield the rounds of a log; a line that was not written to its end is none."""
    for text in log.read_text().splitlines(keepends=True):
        if text.endswith("\n"):
            yield json.loads(text)


def added_up(records: Sequence[Record]) -> Record:
    """Say what rounds show together. `bound`: with 95 % confidence, fewer of such kills than this do harm."""
    kills = sum(record["kills"] for record in records)
    wrong = {name: sum(record[name] for record in records) for name in PROMISES}
    recoveries = [seconds for record in records for seconds in record["recoveries"]]
    cells: dict[str, Counter[str]] = {}
    for record in records:
        cells.setdefault(record["cell"], Counter()).update(rounds=1, kills=record["kills"], deaths=record["deaths"])
    return {
        "kills": kills,
        "rounds": len(records),
        "ok": not any(wrong.values()),
        **wrong,
        "bound": None if any(wrong.values()) else round(3 / kills, 6),
        **{name: sum(record[name] for record in records) for name in _SUMS},
        **{name: _sum([record[name] for record in records]) for name in ("dealt", "engines", "points")},
        "missed": sum(record["missed"] for record in records),
        "recovery": {"median": median(recoveries), "worst": max(recoveries), "waves": len(recoveries)},
        "quiet": max(record["quiet"] for record in records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "sabotage": next((record["sabotage"] for record in records if record["sabotage"]), None),
        "commits": sorted({record["commit"] for record in records}),
        "seeds": ranges(sorted(record["seed"] for record in records)),
        "cells": {name: dict(cells[name]) for name in sorted(cells)},
        "examples": {str(record["seed"]): record["examples"] for record in records if record["examples"]},
    }


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return {name: total[name] for name in sorted(total, key=_in_order)}


def _in_order(name: str) -> tuple[str, int, str]:
    """Sort F2 before F10, and points before what has no number."""
    head, digits = name[:1], name[1:]
    return (head, int(digits), "") if digits.isdigit() else (name, 0, name)


def ranges(numbers: Sequence[int]) -> list[str]:
    """Write sorted numbers as ranges: `1-3`, `7`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found]
