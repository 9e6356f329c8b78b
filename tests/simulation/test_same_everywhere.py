"""A plan means the same in every process: one hash, whatever the hash seed and whichever Python."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import which

import pytest

from tests.simulation.hashes import hashes

ROOT = Path(__file__).parents[2]


def _printed(python: str, *, seed: str) -> list[str]:
    """Run the program in a process of its own, on this one's packages: all of them are pure Python."""
    path = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "tests.simulation.hashes"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def _python(version: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = which(f"python{version}"), *sorted(str(path) for path in pyenv.glob(f"{version}.*/bin/python"))
    for candidate in found:
        if candidate and subprocess.run([candidate, "-c", "import sqlite3"], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.mark.parametrize("seed", ["0", "1"])
def test_two_hash_seeds_give_the_hashes_of_this_process(seed: str) -> None:
    """Neither the process nor the order of its sets is in a trace."""
    assert _printed(sys.executable, seed=seed) == hashes()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_supported_python_gives_the_hashes_of_this_one(version: str) -> None:
    """A plan that was found on one Python is replayed on another."""
    python = _python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    assert _printed(python, seed="2") == hashes()
