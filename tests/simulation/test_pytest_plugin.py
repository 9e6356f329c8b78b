"""The plugin in a pytest of its own: budget, replay, and what is shown with a test that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from effect_runtime.errors import Counterexample
from effect_runtime.testing import explore
from tests.simulation.corpus import bugs
from tests.simulation.running import every_fault, simulation_of

ROOT = Path(__file__).parents[2]

TESTS = """
from effect_runtime.testing import Covered, Run
from tests.simulation.corpus import bugs, twins
from tests.simulation.running import every_fault, simulation_of

def world(cases, number):
    case = cases()[number - 1]
    return simulation_of(case, faults=every_fault(case))

def test_bug(explorer):
    assert isinstance(explorer(world(bugs, 3), runs=200), Covered)

def test_twin(explorer):
    assert isinstance(explorer(world(twins, 3), runs=20), Covered)

def test_run(explorer):
    assert not explorer.run(world(bugs, 3)).is_sound
"""


def _pytest(folder: Path, *arguments: str) -> str:
    """Run pytest on the tests above, with the plugin as an installation would bring it, and return what it prints."""
    file = folder / "test_world.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:effect_runtime", "-p", "effect_runtime.testing.pytest_plugin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(folder), str(file), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return run.stdout + run.stderr


def test_a_failing_search_shows_its_report_and_a_failing_run_its_trace(tmp_path: Path) -> None:
    """Searches that find nothing pass in silence; a budget of next to nothing still runs the boring order."""
    shown = _pytest(tmp_path)
    assert "FAIL at_end(what_is_told_is_true)    1 deviation (all smaller plans pass)    replay: sim1:" in shown
    assert "simulation trace" in shown
    assert "Outside.tell" in shown
    assert "2 failed, 1 passed" in shown
    assert "2 passed" in _pytest(tmp_path, "-k", "bug or twin", "--simulate-budget", "0.000001")


def test_a_blob_is_repeated_instead_of_a_search(tmp_path: Path) -> None:
    """The option reaches each selected test; a damaged blob is refused with the way out."""
    case = bugs()[2]
    with pytest.raises(Counterexample) as found:
        explore(simulation_of(case, faults=every_fault(case)), runs=200)
    repeated = _pytest(tmp_path, "-k", "bug", "--simulate-replay", found.value.blob)
    assert "repeated from its blob" in repeated
    assert "BlobUnreadable" in _pytest(tmp_path, "-k", "bug", "--simulate-replay", "sim1:torn")
