"""Both type checkers accept and refuse exactly what the probes say, line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PROBES = [FOLDER / "face.py", *sorted(FOLDER.glob("probes_*.py"))]
MARKER = re.compile(r"# rejected(?: by (?P<checker>mypy|pyright))?$")
MYPY_LINE = re.compile(r"^(?P<path>[^:]+):(?P<line>\d+): error: (?P<message>.*)$")
VERSIONS = ("3.11", "3.13")
Report = Mapping[tuple[str, int], str]


def run(*command: str) -> str:
    """Run a checker in the project's root; what it finds is on its standard output."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout


def mypy(version: str) -> Report:
    """Return mypy's errors by file and line."""
    paths = [path.relative_to(ROOT).as_posix() for path in PROBES]
    output = run("mypy", "--strict", "--python-version", version, "--no-pretty", "--no-error-summary", *paths)
    matches = [MYPY_LINE.match(line) for line in output.splitlines()]
    return {(Path(match["path"]).name, int(match["line"])): match["message"] for match in matches if match}


def pyright(version: str) -> Report:
    """Return pyright's errors by file and line."""
    # A project of its own: the main one leaves these files out, even when they are named.
    project = ("--project", str(FOLDER / "pyrightconfig.json"))
    output = run("pyright", *project, "--outputjson", "--pythonpath", sys.executable, "--pythonversion", version)
    errors = [item for item in json.loads(output)["generalDiagnostics"] if item["severity"] == "error"]
    return {(Path(item["file"]).name, item["range"]["start"]["line"] + 1): item["message"] for item in errors}


def expected(checker: str) -> set[tuple[str, int]]:
    """Return the marked lines that this checker must refuse."""
    found = set()
    for path in PROBES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = MARKER.search(line)
            if match and match["checker"] in (None, checker):
                found.add((path.name, number))
    return found


CASES = [
    pytest.param(check, version, id=f"{check.__name__}-{version}") for check in (mypy, pyright) for version in VERSIONS
]


@pytest.mark.parametrize(("check", "version"), CASES)
def test_the_checker_refuses_exactly_the_marked_lines(check: Callable[[str], Report], version: str) -> None:
    """Every line marked `# rejected` is an error, and no other line is one."""
    errors = check(version)
    unexpected = {where: message for where, message in errors.items() if where not in expected(check.__name__)}
    assert unexpected == {}
    assert expected(check.__name__) - set(errors) == set()


def test_every_probe_has_both_sides() -> None:
    """Each file of probes holds programs that must pass and lines that must not."""
    marked = {name for name, _ in expected("pyright")}
    assert marked == {path.name for path in PROBES}
