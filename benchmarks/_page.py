"""The table of `docs/benchmarks.md`: written from the result files, never by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks._environments import ROOT
from benchmarks._registry import WORKLOADS
from benchmarks._results import Row, read_all

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- results: python -m benchmarks --write-docs -->"
END = "<!-- end of results -->"
WORDS = {True: "met", False: "**missed**", "inconclusive": "inconclusive"}


def write_page(page: Path = PAGE) -> None:
    """Replace what stands between the two marks by the table of the result files."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table(read_all())}\n{END}{after}")


def quoted(page: Path = PAGE) -> str:
    """Give what stands between the two marks."""
    _, _, rest = page.read_text().partition(BEGIN)
    return rest.partition(END)[0].strip("\n")


def table(records: dict[str, Row]) -> str:
    """Render the result files: one row each in the registry's order, then what they were measured on."""
    known = [records[name] for name in WORKLOADS if name in records]
    head = "| workload | ours | theirs | ratio (95 %) | target | verdict |\n|---|--:|--:|---|---|---|"
    waiting = [f"`{name}`" for name in WORKLOADS if name not in records]
    absent = f"\nNot measured yet: {', '.join(waiting)}.\n" if waiting else ""
    return "\n".join((head, *map(_line, known))) + f"\n{absent}\n{_circumstances(known)}"


def _line(record: Row) -> str:
    interval = f"{record['low']:g} to {record['high']:g}"
    ratio = f"{record['ratio']:g}"
    judged = f"{ratio} ({interval})" if record["judged"] == "ratio" else f"{ratio} (ours: {interval})"
    sign = "≤" if record["better"] == "lower" else "≥"
    unit = f" {record['unit']}" if record["judged"] == "ours" else "x"
    cells = (
        f"`{record['name']}`: {record['claim']}",
        f"{_amount(record['ours'])} {record['unit']}",
        f"{_amount(record['theirs'])} {record['unit']} ({record['peer']})",
        judged,
        f"{sign} {record['target']:g}{unit}",
        WORDS[record["met"]],
    )
    return f"| {' | '.join(cells)} |"


def _amount(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:g}"


def _circumstances(records: list[Row]) -> str:
    """Say on what, with what and when, without naming a machine."""
    if not records:
        return "Nothing was measured yet."
    machines = sorted(
        {"{cores} cores, {system} {processor}, SQLite {sqlite}".format(**each["machine"]) for each in records}
    )
    pythons = sorted({version for each in records for version in each["python"].values()})
    packages = sorted({package for each in records for package in each["packages"]})
    commits = sorted({each["commit"][:10] for each in records})
    rounds = sorted({each["rounds"] for each in records})
    return (
        f"Measured on {'; '.join(machines)}; Python {', '.join(pythons)}; {', '.join(packages)}; "
        f"{', '.join(map(str, rounds))} rounds; at {', '.join(commits)}."
    )
