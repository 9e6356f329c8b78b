"""The closing lines of a CI run: what ran per adapter, and how many passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPORT = Path(__file__).parents[1] / ".ci" / "report.py"
MEMORY = '<testcase classname="tests.outbox.stores" name="test_claims[memory]"/>'
SQLITE = '<testcase classname="tests.outbox.sqlite" name="test_commits"/>'
SKIPPED = '<testcase classname="tests.outbox.sqlite" name="test_commits"><skipped message="no disk"/></testcase>'
FAILED = '<testcase classname="tests.app" name="test_runs"><failure message="assert"/></testcase>'


def report(folder: Path, *cases: str) -> tuple[int, list[str]]:
    """Write a JUnit file with these cases and return the status and the lines of its report."""
    path = folder / "pytest.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    result = subprocess.run([sys.executable, str(REPORT), str(path)], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout.splitlines()


def test_each_adapter_that_ran_is_named(tmp_path: Path) -> None:
    """A run of both embedded adapters says so, and closes with plain counts."""
    assert report(tmp_path, MEMORY, SQLITE) == (
        0,
        ["memory: ran (1 tests)", "sqlite: ran (1 tests)", "2 passed, 0 failed, 0 skipped"],
    )


def test_an_adapter_that_was_skipped_fails_the_run_and_says_why(tmp_path: Path) -> None:
    """An embedded adapter needs no server: leaving it out is an error."""
    assert report(tmp_path, MEMORY, SKIPPED) == (
        1,
        ["memory: ran (1 tests)", "sqlite: skipped: no disk", "1 passed, 0 failed, 1 skipped"],
    )


def test_failures_are_counted(tmp_path: Path) -> None:
    """The closing line counts failures; the stage that failed decides the exit status."""
    assert report(tmp_path, MEMORY, SQLITE, FAILED)[1][-1] == "2 passed, 1 failed, 0 skipped"


def test_a_run_without_a_report_has_failed(tmp_path: Path) -> None:
    """When pytest died before it could write, nothing passed."""
    command = [sys.executable, str(REPORT), str(tmp_path / "gone.xml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "pytest wrote no report\n0 passed, 1 failed\n")
