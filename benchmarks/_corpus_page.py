"""The tables of `docs/search-benchmarks.md`: how well bugs are found, written from the result files, never by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks._environments import ROOT
from benchmarks._page import BEGIN, END
from benchmarks._results import RESULTS, Row

PAGE: Final = ROOT / "docs" / "search-benchmarks.md"


def write_search_page(page: Path = PAGE) -> None:
    """Replace what stands between the two marks by the tables of the result files."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{after}", encoding="utf-8")


def quoted_search(page: Path = PAGE) -> str:
    """Give what stands between the two marks."""
    _, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    return rest.partition(END)[0].strip("\n")


def tables() -> str:
    """Render `corpus.json` and `explored.json`."""
    score, explored = (json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("corpus", "explored"))
    parts = [*_verdict(score), *_planted(score), *_strange(score), *_costs(score), *_explored(explored)]
    return "\n".join(parts).strip("\n")


def _verdict(score: Row) -> Iterable[str]:
    twins = sum(each["runs"] for each in score["twins"])
    yield f"{_measured(score)} {score['verdict']}, in {twins:,} runs of twins."
    yield ""


def _planted(score: Row) -> Iterable[str]:
    yield "## The corpus"
    yield ""
    others = ("lines of test", "one order", "sleeps", "machine")
    yield from _table(("#", "bug", *_HEADS, *others), (_compared(each) for each in score["bugs"]))


def _compared(row: Row) -> Sequence[str]:
    others = ("-" if row[key] is None else str(row[key]) for key in ("one_order", "random_sleeps", "state_machine"))
    return (str(row["number"]), *_found(row), str(row["lines"]), *others)


def _strange(score: Row) -> Iterable[str]:
    if not score.get("strangers"):
        return
    runs, alarms = (sum(each[key] for each in score["strangers_twins"]) for key in ("runs", "alarms"))
    yield "## Bugs of strangers"
    yield ""
    yield f"{alarms or 'No'} false alarm{'s' * (alarms > 1)} in {runs:,} runs of twins."
    yield ""
    yield from _table(("bug", *_HEADS), (_found(each) for each in score["strangers"]))


_HEADS: Final = ("found", "runs", "p95", "s", "deviations", "shrink s")


def _found(row: Row) -> Sequence[str]:
    reported = "-".join(str(number) for number in row["reported"]) or "none"
    return (
        row["title"],
        f"{row['found']}/{row['seeds']}",
        f"{row['runs']:g}",
        f"{row['runs_p95']:g}",
        f"{row['seconds']:.2f}",
        f"{reported} of {row['least']}",
        f"{row['shrink_seconds']:.2f}",
    )


def _costs(score: Row) -> Iterable[str]:
    yield "## What a search costs"
    yield ""
    yield "In processor time of one core."
    yield ""
    yield from _table(
        ("searched", "plans", "took", "target"),
        (
            (each["name"], f"{each['plans']:,}", f"{each['seconds']:.2f} s", _against(each["seconds"], each["target"]))
            for each in score["search"]
        ),
    )
    yield from _table(
        ("a world of 40 operations", "runs/s", "operations/s", "targets"),
        (
            (
                each["chooser"],
                f"{each['runs_per_second']:,.0f}",
                f"{each['operations_per_second']:,.0f}",
                "2,000 runs, 80,000 operations: **missed**"
                if each["runs_per_second"] < 2_000
                else "2,000 runs, 80,000 operations",
            )
            for each in score["worlds"]
        ),
    )


def _against(seconds: float, target: float) -> str:
    return f"{target:g} s: {'met' if seconds <= target else '**missed**'}"


def _explored(explored: Row) -> Iterable[str]:
    yield "## Our own worlds"
    yield ""
    findings = explored["findings"] or "no"
    yield (
        f"{_measured(explored)} {explored['plans']:,} plans in {explored['seconds']:,.0f} s, seed {explored['seed']}: "
        f"{findings} finding{'s' * (findings != 1)}."
    )
    yield ""
    rows = (
        (each["world"], str(each.get("deviations", "-")), f"{each.get('plans', 0):,}", f"{each.get('drawn', 0):,}")
        for each in explored["worlds"]
    )
    yield from _table(("world", "all plans up to", "plans", "drawn"), rows)


def _measured(record: Row) -> str:
    machine = record["machine"]
    tree = "" if record["clean"] else ", a tree with changes"
    return f"Measured at {record['commit'][:10]}{tree}, {machine['cores']} cores, SQLite {machine['sqlite']}:"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if head in ('bug', 'searched', 'world') else '--:' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
