"""Files, folders and the command line of the source check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from effect_runtime.check import check_paths
from effect_runtime.errors import SourceUnreadable

HANDLERS = """\
from effect_runtime import Do, do, succeed
@do
def lend(id: int) -> Do[int]:
    return (yield from succeed(id))
"""
USER = """\
from effect_runtime import do
from .handlers import lend
from shop.handlers import lend as give
@do
def twice(id: int):
    lend(id)
    give(id)
    yield from lend(id)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write a package of two modules, one of which loses the other's effects."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "handlers.py").write_text(HANDLERS)
    (package / "user.py").write_text(USER)
    return package


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the check as a user or a hook does."""
    command = [sys.executable, "-m", "effect_runtime.check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_effects_of_one_file_are_known_in_the_others(shop: Path) -> None:
    """A function of another checked module that builds an effect counts, by absolute and by relative import."""
    assert [(slip.line, slip.code.name) for slip in check_paths([shop])] == [(6, "ER501"), (7, "ER501")]


def test_a_file_named_twice_is_checked_once(shop: Path) -> None:
    """A folder and a file in it give each finding once."""
    assert check_paths([shop, shop / "user.py"]) == check_paths([shop])


def test_hidden_folders_are_left_out(shop: Path) -> None:
    """An environment below the folder is none of our business."""
    hidden = shop / ".venv"
    hidden.mkdir()
    (hidden / "broken.py").write_text("def (:")
    assert len(check_paths([shop])) == 2


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    """A syntax error is reported with file and line, and not swallowed."""
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ndef (:\n")
    with pytest.raises(SourceUnreadable) as caught:
        check_paths([broken])
    assert (caught.value.filename, caught.value.line) == (str(broken), 2)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A missing file is an error that says which."""
    with pytest.raises(SourceUnreadable, match="cannot be checked"):
        check_paths([tmp_path / "gone.py"])


def test_the_command_fails_when_there_are_findings(shop: Path) -> None:
    """Exit status 1 and one line for each finding."""
    result = run(str(shop))
    assert (result.returncode, result.stdout.count("\n"), result.stderr) == (1, 2, "")


def test_the_command_is_silent_on_clean_code(shop: Path) -> None:
    """Exit status 0 and no output."""
    result = run(str(shop / "handlers.py"))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_command_tells_unreadable_from_faulty(tmp_path: Path) -> None:
    """Exit status 2 for what cannot be checked."""
    assert run(str(tmp_path / "gone.py")).returncode == 2


def test_our_own_source_has_no_findings() -> None:
    """The library and the example pass the check that they offer."""
    root = Path(__file__).parents[2]
    assert check_paths([root / "effect_runtime", root / "library_example"]) == ()
