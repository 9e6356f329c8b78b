"""The shape of the tree: directions, sizes, where time passes, and words on everything public.

Each rule is read from the source text; nothing is imported but the standard library.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "effect_runtime"
SOURCES = sorted([*LIBRARY.rglob("*.py"), *(ROOT / "library_example").rglob("*.py")])
TESTS = sorted(path for path in (ROOT / "tests").rglob("test_*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), filename=str(path)) for path in {*SOURCES, *TESTS}}
SILENT = ("effect", "events", "integration", "manifest", "errors", "check")
"""Chapters in which nothing waits: they describe, decide or name."""
LOOP_CHAPTER = "effect_runtime/interpreter/"
KEEPERS = ("effect_runtime/testing/loop/_strict.py", "effect_runtime/testing/loop/_watch.py")
"""They take clocks and chance away, and so have to name them."""
CLOCKS = {"time", "random", "uuid", "secrets"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "misc"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


def place(path: Path, node: ast.AST | None = None) -> str:
    """Name a file, or a line in it, as an editor would open it."""
    relative = path.relative_to(ROOT).as_posix()
    return f"{relative}:{getattr(node, 'lineno', 1)}" if node else relative


def functions(path: Path) -> Iterator[Function]:
    """Yield every function and method of a file, nested ones too."""
    yield from (node for node in ast.walk(TREES[path]) if isinstance(node, Function))


def in_library(*chapters: str) -> list[Path]:
    """Return the library's files, or those of some chapters."""
    files = [path for path in SOURCES if path.is_relative_to(LIBRARY)]
    return [path for path in files if not chapters or path.relative_to(LIBRARY).parts[0] in chapters]


def test_every_import_contract_is_kept() -> None:
    """Chapters import in one direction, without cycles, and each foreign package stays behind its door."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_no_import_contract_has_an_exception() -> None:
    """No contract ignores an import, and the layers name every chapter."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["id"] for contract in contracts if "ignore_imports" in contract] == []
    assert [contract["exhaustive"] for contract in contracts if contract["type"] == "layers"] == [True, True]


def test_no_chapter_imports_through_the_front_door() -> None:
    """Inside the library, names come from the chapter that owns them."""
    inside = [path for path in in_library() if path.parent != LIBRARY]
    assert [
        place(path, node)
        for path in inside
        for node in ast.walk(TREES[path])
        if (isinstance(node, ast.ImportFrom) and node.module == "effect_runtime")
        or (isinstance(node, ast.Import) and any(alias.name == "effect_runtime" for alias in node.names))
    ] == []


def test_no_import_is_late() -> None:
    """Every import stands at the top of its module."""
    assert [
        place(path, inner)
        for path in SOURCES
        for function in functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ] == []


def test_no_module_is_longer_than_500_lines() -> None:
    """A module that grows past 500 lines holds a second concept."""
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_no_function_is_longer_than_70_lines() -> None:
    """A function that grows past 70 lines does a second thing."""
    lengths = {
        f"{place(path, function)} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in SOURCES
        for function in functions(path)
    }
    assert {name: length for name, length in lengths.items() if length > 70} == {}


def test_no_module_has_an_empty_name() -> None:
    """A module is named for its concept."""
    assert [place(path) for path in SOURCES if path.stem.strip("_") in EMPTY_NAMES] == []


@pytest.mark.parametrize("chapter", SILENT)
def test_a_silent_chapter_never_waits(chapter: str) -> None:
    """Effects, events, contracts and errors are values: no `await`, no `async for`, no `async with`."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [
        place(path, node) for path in in_library(chapter) for node in ast.walk(TREES[path]) if isinstance(node, waits)
    ] == []


def test_there_is_one_run_loop() -> None:
    """Exactly one module drives the generators of do-blocks, and it is the interpreter's."""
    drivers = {place(path) for path in in_library() for function in functions(path) if _drives(function)}
    assert len(drivers) == 1, drivers
    assert drivers.pop().startswith(LOOP_CHAPTER)


def _drives(function: Function) -> bool:
    """Tell whether a function sends answers into a generator inside a loop.

    A stream's `await x.send()` does not, nor does `x.send(None)`, which only starts a coroutine or lets it go on.
    """
    innocent = {id(call.func) for call in ast.walk(function) if isinstance(call, ast.Call) and _sends_nothing(call)}
    innocent |= {
        id(node.value.func)
        for node in ast.walk(function)
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    }
    return any(
        isinstance(node, ast.Attribute) and node.attr == "send" and id(node) not in innocent
        for loop in ast.walk(function)
        if isinstance(loop, ast.While)
        for node in ast.walk(loop)
    )


def _sends_nothing(call: ast.Call) -> bool:
    return [ast.unparse(argument) for argument in call.args] == ["None"]


def test_time_chance_and_ids_come_through_the_host() -> None:
    """Only the interpreter's host may read clocks and roll dice; everything else is handed them."""
    assert [
        place(path, node)
        for path in in_library()
        if not place(path).startswith((LOOP_CHAPTER, *KEEPERS))
        for node in ast.walk(TREES[path])
        if _reads_clock(node)
    ] == []


def _reads_clock(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in CLOCKS for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            # `UUID` is a type, `Random` is given its seed; what makes them from chance is neither.
            return module in CLOCKS and not {alias.name for alias in names} <= {"UUID", "Random"}
        case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime"), attr="now" | "utcnow" | "today")):
            return True
    return False


def test_every_public_thing_has_a_docstring() -> None:
    """Modules, public classes, functions and methods say what the caller gets."""
    missing = [place(path) for path in SOURCES if not ast.get_docstring(TREES[path])]
    missing += [
        f"{place(path, node)} {node.name}"
        for path in SOURCES
        for node in _public(TREES[path].body)
        if not ast.get_docstring(node)
    ]
    assert missing == []


def _public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Yield public definitions, those in public classes too; overloads are spoken for by their implementation."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not _is_overload(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body)


def _is_overload(node: Definition) -> bool:
    names = {ast.unparse(decorator) for decorator in node.decorator_list}
    return bool(names & {"overload", "typing.overload"}) or any(name.endswith(".setter") for name in names)


def test_every_test_has_a_docstring() -> None:
    """A test's name is its claim, its docstring the sentence."""
    assert [
        f"{place(path, function)} {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ] == []


def test_every_function_is_annotated() -> None:
    """Parameters and answers of the library and the example have types."""
    assert [
        f"{place(path, function)} {function.name}"
        for path in SOURCES
        for function in functions(path)
        if function.returns is None or any(_unannotated(function))
    ] == []


def _unannotated(function: Function) -> Iterator[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    yield from (item.arg for item in named if item.annotation is None and item.arg not in ("self", "cls"))


def test_every_ignore_names_its_code_and_its_reason() -> None:
    """`# type: ignore[code]  # reason`, and the same for pyright and ruff."""
    loose = re.compile(r"#\s*(type: ignore|pyright: ignore|noqa)\b")
    exact = re.compile(r"#\s*(type: ignore\[[\w, -]+\]|pyright: ignore\[\w+(, \w+)*\]|noqa: [\w, ]+?)\s+#\s*\w+")
    assert [
        f"{place(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if loose.search(line) and not _reasoned(line, exact)
    ] == []


def _reasoned(line: str, exact: re.Pattern[str]) -> bool:
    """Tell whether a line's ignore is exact; text that only speaks of ignores, in quotes, is no ignore."""
    return bool(exact.search(line)) or "`#" in line or 'r"#' in line


def test_every_module_postpones_its_annotations() -> None:
    """`from __future__ import annotations` stands in each module that has code."""
    assert [
        place(path)
        for path in SOURCES
        if len(TREES[path].body) > 1
        and not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in TREES[path].body)
    ] == []
