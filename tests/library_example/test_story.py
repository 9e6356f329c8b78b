"""The story that `python -m library_example` tells, run as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from library_example.telling import Telling

CLAIMS = [
    "  ok    A book is added: both contexts      0/1 on loan, 0/1 out, Ann 0, Bob 0, 0 in line, 0 waiting",
    "  ok    A book is added: events             committed 1, delivered 1, absorbed 1",
    "  ok    Ann borrows: both contexts          1/1 on loan, 1/1 out, Ann 1, Bob 0, 0 in line, 0 waiting",
    "  ok    Ann borrows: events                 committed 1, delivered 1, absorbed 1",
    "  ok    Bob is refused                      NoCopyAvailable",
    "  ok    Bob is refused: both contexts       1/1 on loan, 1/1 out, Ann 1, Bob 0, 0 in line, 0 waiting",
    "  ok    Bob is refused: events              committed 0, delivered 0, absorbed 0",
    "  ok    Bob waits: both contexts            1/1 on loan, 1/1 out, Ann 1, Bob 0, 1 in line, 0 waiting",
    "  ok    Bob waits: events                   committed 1, delivered 1, absorbed 0",
    "  ok    Bob's hold takes it: both contexts  1/1 on loan, 1/1 out, Ann 0, Bob 1, 0 in line, 0 waiting",
    "  ok    Bob's hold takes it: events         committed 2, delivered 2, absorbed 2",
    "  ok    Bob's hold takes it: notices        to bob: The book you waited for",
    "  ok    A copy is bought: both contexts     1/2 on loan, 1/2 out, Ann 0, Bob 1, 0 in line, 0 waiting",
    "  ok    A copy is bought: events            committed 1, delivered 1, absorbed 1",
    "  ok    The process is killed               -9",
    "  ok    After the kill: both contexts       1/2 on loan, 2/2 out, Ann 1, Bob 1, 0 in line, 1 waiting",
    "  ok    After the kill: events              committed 0, delivered 0, absorbed 0",
    "  ok    After the restart: both contexts    2/2 on loan, 2/2 out, Ann 1, Bob 1, 0 in line, 0 waiting",
    "  ok    After the restart: events           committed 0, delivered 1, absorbed 1",
    "  ok    Started once more: both contexts    2/2 on loan, 2/2 out, Ann 1, Bob 1, 0 in line, 0 waiting",
    "  ok    Started once more: events           committed 0, delivered 0, absorbed 0",
    "  ok    Nobody returns: both contexts       2/2 on loan, 2/2 out, Ann 1, Bob 1, 0 in line, 0 waiting",
    "  ok    Nobody returns: events              committed 0, delivered 0, absorbed 0",
    "  ok    Nobody returns: notices             to ann: A book is overdue, to bob: A book is overdue",
    "  ok    Loans overdue                       2",
    "",
    "25 claims, 0 failed.",
]


def tell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the example with its temporary files in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "library_example", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
        env={"TMPDIR": str(folder)},
    )


def test_the_story_goes_as_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Every claim holds, the summary says so, the status is 0, no file stays, no line is wide or coloured."""
    told = tell(tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[-len(CLAIMS) :] == CLAIMS
    assert [line for line in lines if len(line) > 100 or "\x1b" in line] == []
    assert list(tmp_path.iterdir()) == []


def test_unknown_arguments_are_refused_with_the_usage(tmp_path: Path) -> None:
    """The status differs from a story that failed."""
    told = tell(tmp_path, "nonsense")
    assert (told.returncode, told.stdout, told.stderr) == (2, "", "usage: python -m library_example\n")


def test_a_claim_that_does_not_hold_fails_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """What was expected stands beside what was seen, at once and in the summary."""
    telling = Telling()
    telling.claim("The sky", expected="blue", seen="green")
    telling.claim("The grass", expected="green", seen="green")
    assert telling.summary() is False
    assert capsys.readouterr().out.splitlines() == [
        "    NOT AS TOLD           The sky: expected 'blue', saw 'green'",
        "",
        "What was claimed, and what was seen",
        "===================================",
        "FAILED  The sky    green",
        "        as told    blue",
        "  ok    The grass  green",
        "",
        "2 claims, 1 failed.",
    ]
