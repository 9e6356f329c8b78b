"""What the docs show passes both type checkers, as the docs say that it must.

A page becomes a folder: its files as they stand at its end, and one module of everything else, in which a statement
that awaits stands in an `async def` of its own.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from tests.docs.pages import ROOT, Block, pages, read_blocks

TYPED = [page for page in pages() if any(block.runs for block in read_blocks(page.read_text(encoding="utf-8")))]


def name_of(page: Path) -> str:
    """Return the name of the folder that a page becomes."""
    return page.relative_to(ROOT).with_suffix("").as_posix().replace("/", "-")


def write_page(page: Path, folder: Path) -> Path:
    """Write what a page shows into a folder of its own below `folder`, and return that."""
    home = folder / name_of(page)
    home.mkdir()
    blocks = [block for block in read_blocks(page.read_text(encoding="utf-8")) if block.runs]
    for block in blocks:
        if block.file:
            how, name = block.file
            path = home / name
            before = path.read_text(encoding="utf-8") if how == "add to" else ""
            path.write_text(before + block.text, encoding="utf-8")
    loose = [statement for block in blocks if not block.file for statement in statements(block)]
    module = "loose_" + re.sub(r"\W", "_", name_of(page))  # each page has one, and they must not clash
    (home / f"{module}.py").write_text("\n".join(loose), encoding="utf-8")
    return home


def statements(block: Block) -> Iterator[str]:
    """Yield the statements of a block, those that await at the top level each inside a function."""
    lines = block.text.splitlines()
    tree = compile(block.text, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for statement in tree.body:
        first = min(node.lineno for node in [statement, *getattr(statement, "decorator_list", ())])
        text = "\n".join(lines[first - 1 : statement.end_lineno])
        yield (
            f"async def block_{block.line}_{statement.lineno}() -> None:\n{indent(text, '    ')}"
            if awaits(statement)
            else text
        )


def awaits(statement: ast.stmt) -> bool:
    """Tell whether a statement awaits by itself, outside of any function."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor) for node in ast.walk(statement))


def without_clash(homes: list[Path]) -> list[list[Path]]:
    """Part folders into as few groups as needed for no two of a group to hold files of one name."""
    groups: list[list[Path]] = []
    for home in homes:
        names = {path.name for path in home.glob("*.py")}
        for group in groups:
            if not names & {path.name for other in group for path in other.glob("*.py")}:
                group.append(home)
                break
        else:
            groups.append([home])
    return groups


@pytest.fixture(scope="module")
def told_by_mypy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run mypy over all pages, as few times as their file names allow; return all that it says."""
    folder = tmp_path_factory.mktemp("pages")
    homes = [write_page(page, folder) for page in TYPED]
    told = ""
    for group in without_clash(homes):
        files = sorted(str(path) for home in group for path in home.glob("*.py"))
        # In the root and with its settings: so the library is read once for the probes, for the pages and for us all.
        command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--no-pretty", *files]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode in (0, 1), result.stdout + result.stderr
        told += result.stdout
    return told


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_mypy_accepts_what_the_page_shows(page: Path, told_by_mypy: str) -> None:
    """`mypy --strict` finds nothing in the page's files and blocks."""
    assert [line for line in told_by_mypy.splitlines() if f"/{name_of(page)}/" in line] == []


def test_mypy_finds_nothing_outside_the_pages(told_by_mypy: str) -> None:
    """Every run over a group of pages says that it was a success, and nothing more."""
    assert {line.partition(":")[0] for line in told_by_mypy.splitlines()} == {"Success"}


def test_pyright_accepts_what_the_pages_show(tmp_path: Path) -> None:
    """pyright finds nothing in any page; each is a project of its own, so that equal file names do not meet."""
    homes = [write_page(page, tmp_path).name for page in TYPED]
    settings = {"extraPaths": [str(ROOT)], "executionEnvironments": [{"root": home} for home in homes]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--project",
        str(tmp_path),
        "--outputjson",
        "--pythonpath",
        sys.executable,
    ]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    found = [item for item in report["generalDiagnostics"] if item["severity"] == "error"]
    assert [f"{Path(item['file']).relative_to(tmp_path)}: {item['message']}" for item in found] == []
