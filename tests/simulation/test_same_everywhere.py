"""A plan means the same in every process: one hash, whatever the hash seed and whichever Python."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import TypeAlias

import pytest

from tests.simulation.hashes import hashes

ROOT = Path(__file__).parents[2]
Printed: TypeAlias = dict[tuple[str, str], tuple[int, list[str], str]]
"""The exit status, the lines and the errors of each process, by its Python and hash seed."""

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
RUNS = [(HERE, "0"), (HERE, "1"), *((version, "random") for version in ("3.11", "3.12", "3.13") if version != HERE)]


def _begun(python: str, *, seed: str) -> subprocess.Popen[str]:
    """Run the program in a process of its own, on this one's packages: all of them are pure Python."""
    path = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONWARNINGS"] = "default"
    command = [python, "-m", "tests.simulation.hashes"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _python(version: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = which(f"python{version}"), *sorted(str(path) for path in pyenv.glob(f"{version}.*/bin/python"))
    for candidate in found:
        if candidate and subprocess.run([candidate, "-c", "import sqlite3"], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.fixture(scope="module")
def printed() -> Iterator[Printed]:
    """Return what each process has printed; they run side by side."""
    begun = {
        (version, seed): _begun(python, seed=seed)
        for version, seed in RUNS
        if (python := sys.executable if version == HERE else _python(version)) is not None
    }
    try:
        told = {name: (process.communicate(timeout=300), process.returncode) for name, process in begun.items()}
        yield {name: (code, out.split("\n")[:-1], errors) for name, ((out, errors), code) in told.items()}
    finally:
        for process in begun.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def own() -> list[str]:
    """Return what this process makes of the plans."""
    return hashes()


@pytest.mark.parametrize(("version", "seed"), RUNS)
def test_every_python_and_hash_seed_gives_the_hashes_of_this_process(
    version: str, seed: str, printed: Printed, own: list[str]
) -> None:
    """A plan means the same everywhere; and nothing is said about tasks, coroutines or connections that were left."""
    if (version, seed) not in printed:
        pytest.skip(f"Python {version} is not installed")
    assert printed[version, seed] == (0, own, "")


def test_the_plans_take_every_departure_that_is_offered(own: list[str]) -> None:
    """Every fault that any of the worlds may meet has been met, and many plans have several."""
    assert own[-1] == "never taken: "
    assert len(own) > 150
    assert sum(line.count(", ") > 1 for line in own) > 30
