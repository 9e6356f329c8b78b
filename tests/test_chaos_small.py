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
    status, found = rampage(tmp_path, "--kills", "5", "--seed", "4")
    assert {name: found[name] for name in PROMISES} == KEPT, found["examples"]
    assert (status, found["kills"], found["seed"], found["ok"]) == (0, 5, 4, True)
    assert found["acknowledged"] > 0
    assert found["deaths"] >= 5


@pytest.mark.parametrize(
    ("sabotage", "point", "broken"),
    [
        ("drop-inbox", "F13", ("effects",)),
        ("ack-early", "F11", ("lost",)),
        ("publish-before-commit", "F2", ("ghosts", "effects")),  # which of them: whether the customer asked again
        ("mark-before-publish", "F7", ("lost",)),
    ],
)
def test_a_broken_library_is_found_out(tmp_path: Path, sabotage: str, point: str, broken: tuple[str, ...]) -> None:
    """Without its inbox, or acknowledging, publishing or marking in the wrong order, the run fails and says how."""
    status, found = rampage(
        tmp_path, "--kills", "2", "--seed", "2", "--points", point, "--patience", "3", "--sabotage", sabotage
    )
    assert (status, found["ok"], found["sabotage"]) == (1, False, sabotage)
    assert sum(found[name] for name in broken) > 0, found
