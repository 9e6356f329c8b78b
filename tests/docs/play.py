"""Run one page of the docs as a program: `python -m tests.docs.play PAGE`, in an empty folder.

Blocks run in order in one `__main__`. A block with a top-level `await` runs on a loop of its own. Output is compared
where a block announces it. The first block that fails ends the run with a traceback that names lines of the page.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import inspect
import io
import linecache
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

import anyio

from tests.docs.pages import Block, read_blocks


class OutputDiffers(AssertionError):
    """Report output that is not what the page says."""

    def __init__(self, place: str, expected: list[str], actual: list[str]) -> None:
        diff = difflib.unified_diff(expected, actual, "the page says", "the program says", lineterm="")
        super().__init__("\n".join([f"{place}: output differs", *diff]))


class Player:
    """The state of a page while it is played: its `__main__` and the future imports seen so far."""

    def __init__(self, page: Path) -> None:
        self.page = page
        self.main = ModuleType("__main__")
        self.main.__file__ = str(page)
        self.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def play(self, block: Block) -> None:
        """Write, run or compare one block."""
        if block.checked:
            self.compare_transcript(block)
        elif block.runs and block.file:
            write_module(*block.file, block.text)
        elif block.runs:
            self.run(block)

    def run(self, block: Block) -> None:
        """Run one block in the page's namespace, and compare its output if it announces any."""
        code = self.compiled(block)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.execute(code)
        if block.expected:
            actual = [line.rstrip() for line in output.getvalue().splitlines()]
            if actual != block.expected:
                raise OutputDiffers(f"{self.page.name}:{block.line}", block.expected, actual)

    def compiled(self, block: Block) -> CodeType:
        """Compile one block so that tracebacks name the page's own lines."""
        name = str(self.page)
        text = "\n" * (block.line - 1) + block.text
        code = cast("CodeType", compile(text, name, "exec", flags=self.flags, dont_inherit=True))
        self.flags |= code.co_flags & annotations.compiler_flag
        page = self.page.read_text(encoding="utf-8")
        linecache.cache[name] = (len(page), None, page.splitlines(keepends=True), name)
        return code

    def execute(self, code: CodeType) -> None:
        """Run compiled code, on a loop when it awaits."""
        if not code.co_flags & inspect.CO_COROUTINE:
            exec(code, self.main.__dict__)
            return

        async def block() -> None:
            await cast("Coroutine[Any, Any, None]", eval(code, self.main.__dict__))

        anyio.run(block)

    def compare_transcript(self, block: Block) -> None:
        """Run each `$ ` line in a shell and compare what follows; a line `...` stands for any lines."""
        for command, expected in transcript(block.text):
            path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
            result = subprocess.run(
                command, shell=True, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
            )
            actual = (result.stdout + result.stderr).splitlines()
            if not matches(expected, actual):
                raise OutputDiffers(f"{self.page.name}:{block.line}: $ {command}", expected, actual)


def write_module(how: str, name: str, text: str) -> None:
    """Write a block to its file, and forget the module if an earlier version of it was imported."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if how == "add to" else ""
    path.write_text(before + text, encoding="utf-8")
    module = ".".join(path.with_suffix("").parts)
    for loaded in [key for key in sys.modules if key == module or key.startswith(f"{module}.")]:
        del sys.modules[loaded]


def transcript(text: str) -> list[tuple[str, list[str]]]:
    """Split a transcript into commands and the output that the page shows for each."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def matches(expected: list[str], actual: list[str]) -> bool:
    """Tell whether the output is as shown, where `...` alone on a line stands for any lines."""
    if not expected:
        return not actual
    if expected[0].strip() == "...":
        return any(matches(expected[1:], actual[skipped:]) for skipped in range(len(actual) + 1))
    return bool(actual) and expected[0].rstrip() == actual[0].rstrip() and matches(expected[1:], actual[1:])


def main(page: Path) -> None:
    """Play a page from its first block to its last."""
    player = Player(page)
    sys.modules["__main__"] = player.main
    sys.path.insert(0, os.getcwd())
    for block in read_blocks(page.read_text(encoding="utf-8")):
        player.play(block)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
