"""Planted bugs with their repaired twins, by number. A module for each; nothing here knows how a search works."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.simulation.corpus.case import Case


def bugs() -> tuple[Case, ...]:
    """Return the planted bugs in the order of their numbers, each built anew."""
    return tuple(import_module(f"{__name__}.{name}").bug() for name in _modules())


def twins() -> tuple[Case, ...]:
    """Return the repaired twins in the same order, each built anew."""
    return tuple(import_module(f"{__name__}.{name}").twin() for name in _modules())


def _modules() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__) if module.name.startswith("bug_"))
