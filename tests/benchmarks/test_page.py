"""The page says what the result files say, and the files say all that a claim needs."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks._corpus_page import quoted_search, tables
from benchmarks._environments import ROOT
from benchmarks._page import BEGIN, END, quoted, table, write_page
from benchmarks._registry import WORKLOADS
from benchmarks._results import read_all

FIELDS = {
    "name", "ours", "theirs", "peer", "unit", "ratio", "low", "high", "target", "met",
    "claim", "judged", "better", "stretch", "noise", "commit", "clean", "began", "seconds", "seed", "count", "rounds",
    "python", "packages", "machine", "answer", "observations",
}  # fmt: skip


def test_the_page_quotes_the_result_files() -> None:
    """The table was written by the command, from the files that are here."""
    assert quoted() == table(read_all())


def test_a_result_file_has_every_field_and_belongs_to_a_workload() -> None:
    """No file without a workload, and none that leaves out seed, commit or observations."""
    records = read_all()
    assert {name: set(record) for name, record in records.items()} == dict.fromkeys(records, FIELDS)
    assert set(records) <= set(WORKLOADS)


def test_a_result_file_names_no_place() -> None:
    """Figures are published without the folders and the name of the machine that they were taken on."""
    for name, record in read_all().items():
        text = json.dumps(record)
        assert (name, str(ROOT) in text, str(Path.home()) in text) == (name, False, False)


def test_the_page_of_searches_quotes_its_result_files() -> None:
    """What is found, by whom else, and what it costs: no figure is written by hand."""
    assert quoted_search() == tables()


def test_writing_the_page_replaces_the_table_only(tmp_path: Path) -> None:
    """Prose before and after the table stays, and writing twice changes nothing more."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page)
    written = page.read_text()
    write_page(page)
    assert page.read_text() == written == f"before\n{BEGIN}\n{table(read_all())}\n{END}\nafter\n"
