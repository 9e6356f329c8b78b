"""A dead letter becomes a failing test, the code is mended until it passes, and the letter is replayed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).with_name("parcels.py")
BUG = "        price = tariff.base + tariff.per_gram * 1000 // command.grams\n"[4:]
MENDED = "    price = tariff.base + tariff.per_gram * command.grams\n"
ANOTHER_QUESTION = '    tariff = yield from rt.tariffs.get("abroad")\n'
QUESTION = "    tariff = yield from rt.tariffs.get(command.zone)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the shop in it."""
    shutil.copy(SHOP, tmp_path / "parcels.py")
    return tmp_path


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Run Python in the folder; return its status and what it wrote."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def pytest_of(folder: Path) -> tuple[int, str]:
    """Run the test that was made of the letter."""
    return run(folder, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "test_letter.py")


def mend(folder: Path, old: str, new: str) -> None:
    """Change one line of the shop."""
    shop = folder / "parcels.py"
    text = shop.read_text(encoding="utf-8")
    assert text.count(old) == 1
    shop.write_text(text.replace(old, new), encoding="utf-8")


def line_of(folder: Path, text: str) -> int:
    """Return the number of a line of the shop."""
    return (folder / "parcels.py").read_text(encoding="utf-8").splitlines(keepends=True).index(text) + 1


def test_a_dead_letter_becomes_a_failing_test_and_is_replayed_once_it_passes(folder: Path) -> None:
    """Same exception, same line; mended it passes without a database; then the letter goes through."""
    assert run(folder, "parcels.py", "order", "home") == (0, "")
    status, text = run(folder, "parcels.py", "reproduce")
    assert (status, text) == (0, (folder / "test_letter.py").read_text(encoding="utf-8") + "\n")
    status, text = pytest_of(folder)
    assert (status, "1 failed" in text) == (1, True)
    assert f"parcels.py:{line_of(folder, BUG)}: ZeroDivisionError" in text
    mend(folder, BUG, MENDED)
    status, text = pytest_of(folder)
    assert (status, "1 passed" in text) == (0, True)
    assert run(folder, "parcels.py", "replay", "home") == (0, "open: 0\n")


def test_secrets_are_in_neither_the_test_nor_the_letter(folder: Path) -> None:
    """Those that `redact=` lists, and those that an annotation marks."""
    run(folder, "parcels.py", "order", "home")
    _, text = run(folder, "parcels.py", "reproduce")
    assert '"card": "***"' in text
    assert '"email": "***"' in text
    assert '"payer": "***"' in text
    assert "@example.org" not in text
    assert "4111" not in text


def test_a_declared_failure_is_reproduced_with_the_line_that_failed(folder: Path) -> None:
    """It ends the test as it ended the attempt; once the failure is a success, the test passes."""
    run(folder, "parcels.py", "order", "moon")
    run(folder, "parcels.py", "reproduce")
    status, text = pytest_of(folder)
    assert status == 1
    assert "UnhandledFailure" in text
    assert "ZoneUnknown(zone='moon')" in text
    assert f"parcels.py:{line_of(folder, QUESTION)}: " in text


def test_a_handler_that_asks_for_something_else_has_diverged(folder: Path) -> None:
    """Nothing is invented: the message names the operation, what was recorded and what was asked."""
    run(folder, "parcels.py", "order", "home")
    run(folder, "parcels.py", "reproduce")
    mend(folder, QUESTION, ANOTHER_QUESTION)
    status, text = pytest_of(folder)
    assert status == 1
    assert (
        'diverged at operation 1: recorded was Tariffs.get(zone="home"), performed is Tariffs.get(zone="abroad")'
        in " ".join(text.split())
    )
