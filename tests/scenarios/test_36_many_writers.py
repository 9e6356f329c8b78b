"""Scenario 36: eight processes write one SQLite file while one reads for long, so that no checkpoint can finish.

Observable: no caller ever hears that the file is busy, no update is lost, and without the reader the log is bounded.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

WRITERS = 8
UNITS = 100


def start(file: Path, number: int) -> subprocess.Popen[str]:
    """Start one writer, which opens the file and waits."""
    command = [sys.executable, "-m", "tests.scenarios.writers", str(file), f"writer {number}", str(UNITS)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def write_together(file: Path) -> int:
    """Let all writers write at once, none of them in vain; return how many bytes long the log was at most."""
    log, longest = Path(f"{file}-wal"), 0
    with ExitStack() as stack:
        writers = [stack.enter_context(start(file, number)) for number in range(WRITERS)]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "open\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        while any(writer.poll() is None for writer in writers):
            longest = max(longest, log.stat().st_size if log.exists() else 0)
        for writer in writers:
            assert writer.stdout is not None
            assert (writer.stdout.read(), writer.wait()) == ("done\n", 0)
    return longest


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Hold one snapshot for as long as the block lasts."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        yield reader
        reader.execute("ROLLBACK")


def test_scenario_36_many_writers_and_a_long_reader_never_meet_a_busy_file(tmp_path: Path) -> None:
    """Every update is there; the reader saw none of them; when it has gone the log is written over again."""
    file = tmp_path / "shared.db"
    told, _ = start(file, 0).communicate("go\n", timeout=60)
    assert told == "open\ndone\n"
    with reading(file) as reader:
        starved = write_together(file)
        assert reader.execute("SELECT value FROM rows WHERE key = 'counter'").fetchone() == (str(UNITS),)
    with closing(sqlite3.connect(file)) as keeper:
        keeper.execute("SELECT count(*) FROM rows").fetchone()  # as long as it is open, nobody removes the log
        bounded = write_together(file)
        counted = keeper.execute("SELECT value FROM rows WHERE key = 'counter'").fetchone()
    assert counted == (str(UNITS + 2 * WRITERS * UNITS),)
    assert bounded < starved / 2
