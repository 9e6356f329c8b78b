"""The page about reliability says what the code does and what the result file holds."""

from __future__ import annotations

import json

from tests.chaos.failpoints import POINTS
from tests.chaos.report import BEGIN, END, PAGE, RESULT, quoted
from tests.chaos.rounds import PROMISES
from tests.chaos.sabotage import SABOTAGES


def test_the_page_quotes_the_result_file() -> None:
    """What stands between the marks was written by the command, from the file that is here."""
    _, _, rest = PAGE.read_text().partition(BEGIN)
    assert rest.partition(END)[0].strip("\n") == quoted()


def test_the_result_file_is_of_a_clean_run() -> None:
    """It was measured on what is committed, without sabotage; nothing was wrong, and stale settlements were refused."""
    record = json.loads(RESULT.read_text())
    assert {name: record[name] for name in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert (record["ok"], record["sabotage"]) == (True, None)
    assert [commit for commit in record["commits"] if commit.endswith("+")] == []
    assert record["stale"] > 0
    assert set(record["points"]) == {*POINTS, "outside"}


def test_the_page_lists_every_point_and_every_sabotage() -> None:
    """The tables have the sentences of the code."""
    text = PAGE.read_text()
    rows = [f"| {point} | {place} |" for point, place in POINTS.items()]
    rows += [f"| `{name}` | {what} |" for name, what in SABOTAGES.items()]
    assert [row for row in rows if row not in text] == []
