"""The time that an import takes in a process that has imported nothing yet. Imports nothing itself."""

from __future__ import annotations

from importlib import import_module
from time import perf_counter_ns

DEPENDENCIES = ("returns", "attrs", "cattrs", "anyio", "typing_extensions")


def measure_ours(_count: int) -> tuple[float, object]:
    """Time `import effect_runtime`."""
    return _milliseconds("effect_runtime")


def measure_application(_count: int) -> tuple[float, object]:
    """Time `from effect_runtime import App`: the door opens a chapter only when asked, and this asks for nearly all."""
    start = perf_counter_ns()
    _ = import_module("effect_runtime").App
    return (perf_counter_ns() - start) / 1e6, "imported"


def measure_dependencies(_count: int) -> tuple[float, object]:
    """Time the imports of its five dependencies, each by its top-level name."""
    return _milliseconds(*DEPENDENCIES)


def _milliseconds(*modules: str) -> tuple[float, object]:
    start = perf_counter_ns()
    for module in modules:
        import_module(module)
    return (perf_counter_ns() - start) / 1e6, "imported"
