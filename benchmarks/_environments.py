"""Where a side runs: this environment, or a peer's own, made when first needed beside the project.

Knows which versions are compared. A peer that needs another Python gets it, and so do we for that comparison.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_DEADLINE_SECONDS = 600


class EnvironmentUnavailable(Exception):
    """An environment cannot be made here. Its workloads are skipped with this reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"environment {name!r} cannot be made: {reason}")


@frozen
class Environment:
    """A virtual environment with fixed packages, for one version of Python (None: the one that is running)."""

    name: str
    packages: tuple[str, ...]
    python: str | None = None

    @property
    def folder(self) -> Path:
        """Say where it lives."""
        return ROOT / f".venv-bench-{self.name}"

    @property
    def interpreter(self) -> Path:
        """Say which Python a worker is started with."""
        return self.folder / "bin" / "python"


def _our_dependencies() -> tuple[str, ...]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tuple(tomllib.load(file)["project"]["dependencies"])


ENVIRONMENTS = {
    each.name: each
    for each in (
        Environment("stateless", ("stateless==0.6.1",)),
        Environment("returns", ("returns==0.30.0",)),
        Environment("expression", ("expression==5.8.0",)),
        Environment("effect", ("effect==1.1.0",)),
        Environment("effect-python", ("effect-python==0.1.0a2",), python="python3.13"),
        Environment("ours-3.13", _our_dependencies(), python="python3.13"),
    )
}


def interpreter_of(name: str) -> str:
    """Give the Python of the named environment, making the environment first if it is not there.

    Raises `EnvironmentUnavailable` when its Python or its packages cannot be had.
    """
    if name == "own":
        return sys.executable
    environment = ENVIRONMENTS[name]
    complete = environment.folder / "complete"
    if not (complete.exists() and complete.read_text() == _recipe(environment)):
        _make(environment)
        complete.write_text(_recipe(environment))
    return str(environment.interpreter)


def _recipe(environment: Environment) -> str:
    return "\n".join((environment.python or sys.version, *environment.packages))


def _make(environment: Environment) -> None:
    python = sys.executable if environment.python is None else _found(environment.name, environment.python)
    shutil.rmtree(environment.folder, ignore_errors=True)
    _ran(environment.name, python, "-m", "venv", str(environment.folder))
    pip = (str(environment.interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _ran(environment.name, *pip, *environment.packages)


def _ran(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACKAGE_DEADLINE_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise EnvironmentUnavailable(name, last)


def _found(name: str, python: str) -> str:
    for candidate in _candidates(python):
        answer = subprocess.run([candidate, "-c", "print(1)"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return candidate
    raise EnvironmentUnavailable(name, f"no {python} on this machine")


def _candidates(python: str) -> Iterator[str]:
    # A pyenv shim is on the path even when no version stands behind it, hence the trial run above.
    if on_path := shutil.which(python):
        yield on_path
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
        version = python.removeprefix("python")
        yield from map(str, sorted(Path(root, "versions").glob(f"{version}*/bin/{python}"), reverse=True))
