"""The ledger keeps what was written, whoever dies while writing."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.ledger import Ledger, read_ledger


def test_lines_of_all_writers_are_read(tmp_path: Path) -> None:
    """Each writer has a file of its own; facts come back as they were."""
    for name in ("one", "two"):
        ledger = Ledger(tmp_path, name)
        ledger.write("acknowledged", payment=name, number=1)
        ledger.close()
    assert [(line["kind"], line["payment"], line["number"]) for line in read_ledger(tmp_path)] == [
        ("acknowledged", "one", 1),
        ("acknowledged", "two", 1),
    ]


def test_a_torn_line_says_nothing(tmp_path: Path) -> None:
    """A writer that was killed in the middle of a line leaves the lines before it readable."""
    ledger = Ledger(tmp_path, "torn")
    ledger.write("handled", payment="p")
    ledger.close()
    with (tmp_path / "torn.jsonl").open("a") as file:
        file.write('{"kind": "handl')
    assert [line["payment"] for line in read_ledger(tmp_path)] == ["p"]
