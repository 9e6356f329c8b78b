"""Check one source text, or files and folders. Reads files; imports nothing of what it checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from effect_runtime.check._blocks import blocks_of
from effect_runtime.check._rules import Finding, slips_of
from effect_runtime.check._vocabulary import Exports, Index, exports_of, read_vocabulary
from effect_runtime.errors import SourceUnreadable

ACCEPTED = re.compile(r"#\s*noqa:\s*(?P<codes>ER\d{3}(?:[,\s]+ER\d{3})*)")


def check_source(source: str, *, filename: str) -> tuple[Finding, ...]:
    """Find the slips in the do-blocks of one source text, by position.

    Effects that other modules of the project build are not known here; `check_paths` knows them.
    Raises `SourceUnreadable` when the text is no Python.
    """
    return _findings(source, _parse(source, filename), filename=filename, module="", index={})


def check_paths(paths: Iterable[str | Path]) -> tuple[Finding, ...]:
    """Find the slips in files and in all `*.py` below folders, hidden folders left out.

    Effects built by functions of one file are known in the others. Raises `SourceUnreadable` for a path
    that does not exist, is not text, or is no Python.
    """
    files = sorted({file for path in paths for file in _files(Path(path))})
    sources = {file: _read(file) for file in files}
    # All of them before any is judged: what one file builds is used in others.
    trees = {file: _parse(source, str(file)) for file, source in sources.items()}
    names = {file: _module_name(file) for file in files}
    index: dict[str, Exports] = {
        names[file].removesuffix(".__init__"): exports_of(tree, names[file]) for file, tree in trees.items()
    }
    return tuple(
        finding
        for file in files
        for finding in _findings(sources[file], trees[file], filename=str(file), module=names[file], index=index)
    )


def _findings(source: str, tree: ast.Module, *, filename: str, module: str, index: Index) -> tuple[Finding, ...]:
    words = read_vocabulary(tree, module, index)
    found = {slip for block in blocks_of(tree, words) for slip in slips_of(block, filename=filename)}
    lines = source.splitlines()
    return tuple(sorted(slip for slip in found if slip.code.name not in _accepted(lines[slip.line - 1])))


def _accepted(line: str) -> frozenset[str]:
    """Return the codes that the author accepts on this line."""
    match = ACCEPTED.search(line)
    return frozenset(re.findall(r"ER\d{3}", match["codes"])) if match else frozenset()


def _parse(source: str, filename: str) -> ast.Module:
    try:
        return ast.parse(source, filename=filename)
    except (SyntaxError, ValueError) as error:
        raise SourceUnreadable(filename, line=getattr(error, "lineno", None), reason=str(error)) from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreadable(str(file), line=None, reason=str(error)) from error


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in path.rglob("*.py"):
        if not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts):
            yield file


def _module_name(file: Path) -> str:
    """Return the dotted name under which the file is imported: its folders up to the last with an `__init__`."""
    # Not by `sys.path`: what is checked is never imported, and need not be importable.
    parts = [file.stem]
    folder = file.resolve().parent
    while (folder / "__init__.py").exists():
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts))
