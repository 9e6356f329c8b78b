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

def test_silent(explorer):
    explorer(world(twins, 3), runs=2)

def test_both(explorer):
    explorer(world(twins, 10), runs=2)
    explorer(world(bugs, 3), runs=2)

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
    return f"{run.stdout}{run.stderr}ended with {run.returncode}"


def test_a_failing_search_shows_its_report_and_a_failing_run_its_trace(tmp_path: Path) -> None:
    """Searches that find nothing pass in silence; a budget of next to nothing still runs the boring order."""
    shown = _pytest(tmp_path)
    assert "FAIL at_end(what_is_told_is_true)    1 deviation (all smaller plans pass)    replay: sim1:" in shown
    assert "simulation trace" in shown
    assert "Outside.tell" in shown
    assert "2 failed, 3 passed" in shown
    assert "2 passed" in _pytest(tmp_path, "-k", "bug or twin", "--simulate-budget", "0.000001", "--simulate-seed", "3")


@pytest.fixture(scope="module")
def blob() -> str:
    """Return what repeats the bug of the tests above."""
    case = bugs()[2]
    with pytest.raises(Counterexample) as found:
        explore(simulation_of(case, faults=every_fault(case)), runs=200)
    return found.value.blob


def test_a_blob_is_repeated_instead_of_a_search(tmp_path: Path, blob: str) -> None:
    """The option reaches each selected test, and the end says what came of it."""
    repeated = _pytest(tmp_path, "-k", "bug", "--simulate-replay", blob)
    assert "repeated from its blob" in repeated
    assert "test_world.py::test_bug: fails as it did" in repeated


def test_a_blob_finds_its_world_among_several(tmp_path: Path, blob: str) -> None:
    """The first world of the test has other clients and other sites: it runs undisturbed."""
    repeated = _pytest(tmp_path, "-k", "both", "--simulate-replay", blob)
    assert "1 failed" in repeated
    assert "test_world.py::test_both: fails as it did" in repeated


def test_a_blob_that_belongs_to_no_world_fails_the_tests(tmp_path: Path, blob: str) -> None:
    """Nothing was repeated, which must not look like a pass: the missing sites are named."""
    repeated = _pytest(tmp_path, "-k", "silent", "--simulate-replay", blob)
    assert "no test has the world of this plan, so nothing was repeated" in repeated
    assert "Outside.tell" in repeated
    assert "1 passed" in repeated
    assert repeated.endswith("ended with 1")
    nobody = _pytest(tmp_path, "-k", "nothing", "--simulate-replay", blob)
    assert "no test that was selected asks for the fixture `explorer`, so nothing was repeated" in nobody


def test_a_damaged_blob_ends_pytest_before_any_test(tmp_path: Path) -> None:
    """It says what to copy."""
    refused = _pytest(tmp_path, "--simulate-replay", "sim1:torn")
    assert "--simulate-replay: 'sim1:torn' cannot be replayed: it is damaged. Copy the whole word" in refused
    assert "passed" not in refused


def test_the_plugin_loads_nothing_until_a_test_asks_for_it() -> None:
    """Every pytest loads it, also where nobody simulates; and what it loads, no coverage sees."""
    code = "import sys, pytest; before = set(sys.modules); import effect_runtime.testing.pytest_plugin as plugin; "
    code += "print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert run.stdout.split() == ["effect_runtime", "effect_runtime.testing", "effect_runtime.testing.pytest_plugin"]
