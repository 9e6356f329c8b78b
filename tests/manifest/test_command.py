"""The two commands: what they print, what they write, and the exit status that a build looks at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime.integration import FieldShape
from effect_runtime.manifest import WireManifest, verify_golden
from effect_runtime.manifest.__main__ import main
from tests.manifest.shop import ShopEvents, WeatherEvents
from tests.manifest.test_app import BROKEN, PRESENT

SHOP = "tests.manifest.shop:shop"
OLDER = evolve(PRESENT, subscriptions=PRESENT.subscriptions[:1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Commit the manifest of the shop as it is."""
    path = tmp_path / "wire.json"
    path.write_text(PRESENT.to_text())
    return path


def test_a_file_that_says_what_the_code_says_is_sound(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed."""
    assert (main(["check", SHOP, str(file)]), capsys.readouterr().out) == (0, "")


def test_a_breaking_change_fails_the_check(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change is a line."""
    file.write_text(BROKEN.to_text())
    assert main(["check", SHOP, str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": it is gone")[0] for line in lines] == [
        "breaking: event 'manifest-shop.lost'",
        "breaking: subscription 'books.all-sales'",
    ]


def test_a_file_that_is_only_older_fails_otherwise(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A memory that is not kept up to date would miss a version."""
    file.write_text(OLDER.to_text())
    assert main(["check", SHOP, str(file)]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "compatible: subscription 'books.weather': it is new. There is nothing to do.",
        f"{file} is older than the code. Bring it up to date with `write`, and commit it.",
    ]


def test_the_first_manifest_is_written_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing was committed nothing has changed."""
    path = tmp_path / "wire.json"
    assert (main(["write", SHOP, str(path)]), capsys.readouterr().out) == (0, "")
    assert WireManifest.from_file(path) == PRESENT


def test_a_manifest_is_brought_up_to_date(file: Path) -> None:
    """After it has been written there is nothing to report."""
    file.write_text(OLDER.to_text())
    assert (main(["write", SHOP, str(file)]), main(["check", SHOP, str(file)])) == (0, 0)


def test_a_breaking_change_is_not_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file keeps what was promised."""
    file.write_text(BROKEN.to_text())
    assert main(["write", SHOP, str(file)]) == 1
    assert capsys.readouterr().out.endswith(
        f"{file} is left as it was. Undo what breaks it, or write it all the same with `--breaking`.\n"
    )
    assert file.read_text() == BROKEN.to_text()


def test_a_breaking_change_is_written_when_it_is_meant(file: Path) -> None:
    """The diff of the file then shows the reviewer what is broken."""
    file.write_text(BROKEN.to_text())
    assert main(["write", SHOP, str(file), "--breaking"]) == 0
    assert WireManifest.from_file(file) == PRESENT


def test_what_is_retired_gets_its_entry(file: Path) -> None:
    """An event and a subscription that the code has given up."""
    file.write_text(BROKEN.to_text())
    retire = ["--retire", "manifest-shop.lost", "--retire", "books.all-sales"]
    assert (main(["write", SHOP, str(file), *retire]), main(["check", SHOP, str(file)])) == (0, 0)
    written = WireManifest.from_file(file)
    assert written == evolve(
        PRESENT, retired_events=("manifest-shop.lost",), retired_subscriptions=("books.all-sales",)
    )


def test_an_older_shape_survives_a_new_version(file: Path) -> None:
    """What the class was before is in the file alone."""
    shapes = {1: {"article": FieldShape("text")}}
    sold = next(event for event in PRESENT.events if event.name == "manifest-shop.sold")
    others = tuple(event for event in PRESENT.events if event is not sold)
    file.write_text(evolve(PRESENT, events=(*others, evolve(sold, version=1, shapes=shapes))).to_text())
    assert main(["write", SHOP, str(file)]) == 0
    assert WireManifest.from_file(file) == evolve(
        PRESENT, events=(*others, evolve(sold, shapes={**shapes, **sold.shapes}))
    )


def test_golden_payloads_are_written_for_what_is_current(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is older has to be recorded by hand, and the command says so until it is."""
    folder = tmp_path / "golden"
    words = ["write", SHOP, str(file), "--golden", str(folder)]
    assert main(words) == 1
    assert "ER215 manifest-shop.sold.v1.json: no such payload is committed." in capsys.readouterr().out
    (folder / "manifest-shop.sold.v1.json").write_text('{"article": "lamp"}')
    assert (main(words), main(["check", SHOP, str(file), "--golden", str(folder)])) == (0, 0)
    verify_golden([ShopEvents, WeatherEvents], folder)


def test_a_golden_payload_is_never_written_over(file: Path, tmp_path: Path) -> None:
    """What was recorded is what has been sent."""
    recorded = tmp_path / "golden" / "manifest-shop.sold.v2.json"
    recorded.parent.mkdir()
    recorded.write_text('{"article": "lamp", "count": 7}')
    main(["write", SHOP, str(file), "--golden", str(recorded.parent)])
    assert recorded.read_text() == '{"article": "lamp", "count": 7}'


def test_a_golden_payload_that_is_not_read_fails_the_check(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where the manifest itself holds."""
    assert main(["check", SHOP, str(file), "--golden", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().out.count("ER215") == 4


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("tests.manifest.nowhere:shop", "No module named 'tests.manifest.nowhere'"),
        ("tests.manifest.shop:ship", "has no attribute 'ship'"),
        ("tests.manifest.shop", "has no attribute ''"),
        (":shop", "Empty module name"),
        ("tests.manifest.shop:Sold", "it is <class"),
        ("tests.manifest.shop:shop_with_a_parameter", "it is <function"),
    ],
)
def test_words_that_name_no_application_are_refused(
    target: str, reason: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status tells this from a broken promise."""
    assert main(["check", target, str(file)]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert told.endswith("Write MODULE:NAME, where NAME is an App or a function that makes one without arguments.\n")


def test_a_manifest_that_cannot_be_read_has_a_status_of_its_own(file: Path) -> None:
    """A missing file is not a file without promises."""
    file.unlink()
    assert main(["check", SHOP, str(file)]) == 2


def test_the_module_is_a_command(file: Path) -> None:
    """As a user or a build runs it."""
    command = [sys.executable, "-m", "effect_runtime.manifest", "check", SHOP, str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_an_application_itself_may_be_named(file: Path) -> None:
    """A module that holds an `App` is as good as a function that makes one."""
    assert main(["check", "tests.manifest.shop:app", str(file)]) == 0
