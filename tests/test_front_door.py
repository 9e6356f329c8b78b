"""The front door opens a chapter only when one of its names is asked for, and hands out the chapter's own names."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import effect_runtime

SHOWN = {
    alias.name: node.module
    for node in ast.walk(ast.parse(Path(effect_runtime.__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("effect_runtime.")
    for alias in node.names
}
"""What type checkers are shown: each name and the chapter that it comes from."""


def chapters_after(statement: str) -> set[str]:
    """Run a statement in a fresh process and return the chapters that it loaded."""
    listing = "print(*(name for name in sys.modules if name.startswith('effect_runtime.')))"
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; {listing}"], capture_output=True, text=True, check=True
    )
    return {module.split(".")[1] for module in ran.stdout.split()}


def test_importing_the_library_loads_no_chapter() -> None:
    """A chapter is loaded when one of its names is asked for."""
    assert chapters_after("import effect_runtime") == set()


def test_a_module_that_describes_effects_loads_nothing_that_runs_them() -> None:
    """Effects, their failures and do-blocks need two chapters."""
    assert chapters_after("from effect_runtime import Do, Eff, do, fail") == {"effect", "errors"}


def test_the_names_shown_to_type_checkers_are_the_names_handed_out() -> None:
    """Each name is the very object of the chapter that checkers are shown."""
    assert sorted(SHOWN) == sorted(effect_runtime.__all__)
    assert [
        name
        for name, module in SHOWN.items()
        if getattr(effect_runtime, name) is not getattr(import_module(module), name)
    ] == []


def test_the_door_lists_its_names_before_they_are_loaded() -> None:
    """`dir` serves completion in an editor."""
    assert set(effect_runtime.__all__) <= set(dir(effect_runtime))


def test_a_name_that_the_door_does_not_hold_is_refused() -> None:
    """A misspelt name says which module was asked."""
    name = "Apps"
    with pytest.raises(AttributeError, match=r"module 'effect_runtime' has no attribute 'Apps'"):
        getattr(effect_runtime, name)
