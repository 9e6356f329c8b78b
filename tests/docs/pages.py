"""What a page of the docs says in its fenced blocks. Reads Markdown; runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from attrs import frozen

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)$")
FILE = re.compile(r"^# (?P<how>file|add to): (?P<name>[\w./-]+)\s*$")
OUTPUT = re.compile(r"^\s*# ?>(?: (?P<text>.*))?$")  # a formatter writes `# >`
ROOT = Path(__file__).parents[2]


@frozen
class Block:
    """One fenced block: its info string, its text, and the page's line on which the text starts."""

    info: str
    text: str
    line: int

    @property
    def runs(self) -> bool:
        """Tell whether the block is Python."""
        return self.info.split()[:1] == ["python"]

    @property
    def checked(self) -> bool:
        """Tell whether the block is a console transcript to be compared."""
        return self.info.split() == ["console", "check"]

    @property
    def file(self) -> tuple[str, str] | None:
        """Return how and which file the block writes: `# file: NAME` anew, `# add to: NAME` at its end."""
        first, _, _ = self.text.partition("\n")
        match = FILE.match(first)
        return (match["how"], match["name"]) if match else None

    @property
    def expected(self) -> list[str]:
        """Return the lines of output that the block announces with `#>` or `# >`."""
        matches = (OUTPUT.match(line) for line in self.text.splitlines())
        return [(match["text"] or "").rstrip() for match in matches if match]


def read_blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order; raise ValueError when a fence is never closed."""
    lines = page.splitlines()
    position = 0
    while position < len(lines):
        match = FENCE.match(lines[position])
        position += 1
        if not match:
            continue
        start = position
        closing = re.compile(rf"^ *{match['fence']}`*~* *$")
        while position < len(lines) and not closing.match(lines[position]):
            position += 1
        if position == len(lines):
            raise ValueError(f"line {start}: this fence is never closed")
        yield Block(match["info"].strip(), dedent("\n".join(lines[start:position])) + "\n", start + 1)
        position += 1


def pages() -> tuple[Path, ...]:
    """Return README.md and every page of the docs."""
    return (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
