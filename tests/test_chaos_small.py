"""The kill test in small: it runs in the suite, and it is shown that it can fail.

Real processes; the bound on each is the time within which they must come to rest, nothing is asserted of time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROMISES = ("lost", "ghosts", "effects", "order", "stuck", "orphans", "answers", "trouble")
KEPT = dict.fromkeys(PROMISES, 0)


def rampage(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command with its files in `folder`; return the exit status and the line of JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=Path(__file__).parents[1],
        env={"TMPDIR": str(folder), "PATH": ""},
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, found


def test_five_kills_break_no_promise(tmp_path: Path) -> None:
    """Five processes die by SIGKILL: nothing lost, no ghost, each effect once, in order, no row stuck, no half row."""
    status, found = rampage(tmp_path, "--kills", "5", "--seed", "4", "--cell", "2/2/2/2w")
    assert {name: found[name] for name in PROMISES} == KEPT, found["examples"]
    assert (status, found["kills"], found["seeds"], found["ok"]) == (0, 5, ["4"], True)
    assert found["acknowledged"] > 0
    assert found["deaths"] >= 5


def test_processes_die_on_their_way_in_and_out_and_at_dead_letters(tmp_path: Path) -> None:
    """One dies migrating, one draining, one while it moves a dead letter, all on one file: no promise is broken."""
    status, found = rampage(
        tmp_path, "--kills", "3", "--seed", "5", "--cell", "1/1/1/1w", "--points", "F14,F15,F16", "--sick", "0.3"
    )
    assert {name: found[name] for name in PROMISES} == KEPT, found["examples"]
    assert (status, found["points"]["F15"], found["deaths"] >= 3, found["letters"] > 0) == (0, 1, True, True)


def test_a_stopped_process_a_full_disk_and_a_wrong_clock_break_no_promise(tmp_path: Path) -> None:
    """A relay outlives its lease and is fenced off, a process has no space, another one a clock ten minutes off."""
    status, found = rampage(
        tmp_path, "--kills", "2", "--seed", "3", "--cell", "1/2/1/2", "--points", "stop:F8,disk,clock,F8,F3"
    )
    assert {name: found[name] for name in PROMISES} == KEPT, found["examples"]
    assert (status, found["dealt"]["kills"]) == (0, 2)


@pytest.mark.parametrize(
    ("sabotage", "options", "broken"),
    [
        ("drop-inbox", "--points F13", ("effects",)),
        ("ack-early", "--points F11", ("lost",)),
        (
            "publish-before-commit",
            "--points F2 --kills 4",
            ("ghosts", "effects"),
        ),  # or both
        ("mark-before-publish", "--points F7", ("lost",)),
        ("drop-fence", "--points stop:F8,stop:F8,F8 --accounts 3 --sick 0", ("lost",)),
        ("bury-late", "--points F14 --sick 0.5", ("lost",)),
    ],
)
def test_a_broken_library_is_found_out(tmp_path: Path, sabotage: str, options: str, broken: tuple[str, ...]) -> None:
    """Without its inbox or its fence, or acting in the wrong order, the run fails and says how."""
    cell = "1/3/1/1" if sabotage == "drop-fence" else "2/2/2/2w"
    arguments = ("--kills", "2", "--seed", "2", "--cell", cell, "--patience", "3", *options.split())
    status, found = rampage(tmp_path, *arguments, "--sabotage", sabotage)
    assert (status, found["ok"], found["sabotage"]) == (1, False, sabotage)
    assert sum(found[name] for name in broken) > 0, found
