"""The page about reliability says what the code does and what the result files hold."""

from __future__ import annotations

import json

from tests.chaos.failpoints import POINTS
from tests.chaos.report import BEGIN, END, PAGE, RESULTS, quoted
from tests.chaos.sabotage import SABOTAGES


def test_the_page_quotes_the_result_files() -> None:
    """What stands between the marks was written by the command, from the files that are here."""
    _, _, rest = PAGE.read_text().partition(BEGIN)
    assert rest.partition(END)[0].strip("\n") == quoted()


def test_every_result_file_is_of_a_clean_run() -> None:
    """What is published was measured on what is committed, without sabotage, and nothing was wrong."""
    records = [json.loads(path.read_text()) for path in RESULTS.glob("kills-sqlite-*.json")]
    assert records
    assert {(each["ok"], each["clean"], each["sabotage"]) for each in records} == {(True, True, None)}


def test_the_page_lists_every_point_and_every_sabotage() -> None:
    """The tables have the sentences of the code."""
    text = PAGE.read_text()
    rows = [f"| {point} | {place} |" for point, place in POINTS.items()]
    rows += [f"| `{name}` | {what} |" for name, what in SABOTAGES.items()]
    assert [row for row in rows if row not in text] == []
