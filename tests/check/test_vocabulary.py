"""The check knows the library: its list of functions that build effects is the library's own."""

from __future__ import annotations

import ast
from pathlib import Path

from effect_runtime.check._vocabulary import BUILDERS

LIBRARY = Path(__file__).parents[2] / "effect_runtime"


def builders() -> set[str]:
    """Return the public functions of the library whose answer is annotated `Eff`."""
    return {
        node.name
        for path in LIBRARY.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.returns is not None
        if ast.unparse(node.returns).startswith("Eff[")
    }


def test_every_function_that_builds_an_effect_is_known() -> None:
    """The check's list and the library's annotations agree in both directions; `ask` is a class."""
    assert builders() | {"ask"} == BUILDERS
