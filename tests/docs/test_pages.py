"""The docs tell the truth: each page's snippets run, and print what the page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, pages, read_blocks

PAGES = [page for page in pages() if page.exists()]
PLAYED = [
    pytest.param(page, id=str(page.relative_to(ROOT)))
    for page in PAGES
    if any(block.runs or block.checked for block in read_blocks(page.read_text(encoding="utf-8")))
]


def play(page: Path, folder: Path) -> tuple[int, str]:
    """Play a page in a folder, in a process of its own; return the exit status and what it said of failures."""
    command = [sys.executable, "-W", "error", "-m", "tests.docs.play", str(page)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    return result.returncode, result.stderr if result.returncode else ""


@pytest.mark.parametrize("page", PLAYED)
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of the page run in order in an empty folder, and print what they announce."""
    assert play(page, tmp_path) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_snippet_is_exempt(page: Path) -> None:
    """A Python block has no other word on its fence: none is excused from running."""
    blocks = read_blocks(page.read_text(encoding="utf-8"))
    assert [block.line for block in blocks if block.runs and block.info != "python"] == []


def played(tmp_path: Path, page: str) -> tuple[int, str]:
    """Play a page given as text; `~~~` stands for its fences."""
    path = tmp_path / "page.md"
    path.write_text(page.replace("~~~", "```"))
    return play(path, tmp_path)


def test_blocks_share_one_namespace_and_may_await(tmp_path: Path) -> None:
    """A later block sees the names of an earlier one, and a top-level await works."""
    page = "~~~python\nimport anyio\nx = 1\n~~~\ntext\n~~~python\nawait anyio.sleep(0)\nprint(x + 1)\n#> 2\n~~~\n"
    assert played(tmp_path, page) == (0, "")


def test_output_that_differs_fails_the_page(tmp_path: Path) -> None:
    """What a block prints must be what it announces, line by line."""
    status, problem = played(tmp_path, "~~~python\nprint(1)\n# > 2\n~~~\n")
    assert status == 1
    assert "page.md:2: output differs" in problem
    assert problem.rstrip().endswith("-2\n+1")


def test_a_failure_names_the_line_of_the_page(tmp_path: Path) -> None:
    """A traceback points into the page itself."""
    status, problem = played(tmp_path, "# Title\n\n~~~python\nx = 1\n1 / 0\n~~~\n")
    assert status == 1
    assert 'page.md", line 5' in problem


def test_a_file_block_becomes_a_module(tmp_path: Path) -> None:
    """`# file:` writes a module, `# add to:` extends it, and later blocks import the newest text."""
    page = (
        "~~~python\n# file: shop.py\nprice = 1\n~~~\n~~~python\nimport shop\n~~~\n"
        "~~~python\n# add to: shop.py\nprice += 1\n~~~\n~~~python\nimport shop\nprint(shop.price)\n#> 2\n~~~\n"
    )
    assert played(tmp_path, page) == (0, "")


def test_a_transcript_is_compared(tmp_path: Path) -> None:
    """Commands of a checked transcript run, and dots stand for any lines."""
    page = "~~~console check\n$ printf 'a\\nb\\nc\\n'\na\n...\n{}\n~~~\n"
    assert played(tmp_path, page.format("c")) == (0, "")
    status, problem = played(tmp_path, page.format("d"))
    assert status == 1
    assert "output differs" in problem


def test_future_annotations_last_for_the_page(tmp_path: Path) -> None:
    """A future import of one block holds for those after it, as in one module."""
    page = "~~~python\nfrom __future__ import annotations\n~~~\n~~~python\ndef f() -> Unknown: ...\n~~~\n"
    assert played(tmp_path, page) == (0, "")


def test_blocks_are_read_with_their_lines() -> None:
    """Indented and longer fences are read; the line is that of the block's first line of text."""
    page = "- item\n  ~~~python\n  x = 1\n  ~~~\n~~~~markdown\n~~~python\n~~~\n~~~~\n".replace("~", "`")
    assert list(read_blocks(page)) == [Block("python", "x = 1\n", 3), Block("markdown", "```python\n```\n", 6)]


def test_a_fence_that_is_never_closed_is_an_error() -> None:
    """A page that ends inside a block is not silently cut."""
    with pytest.raises(ValueError, match="line 1: this fence is never closed"):
        list(read_blocks("```python\nx = 1\n"))
