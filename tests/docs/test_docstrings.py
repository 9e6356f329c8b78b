"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import effect_runtime

MODULES = [
    module.name
    for module in pkgutil.walk_packages(effect_runtime.__path__, "effect_runtime.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_of_a_module_hold(name: str) -> None:
    """Every `>>>` of the module gives what it shows."""
    assert doctest.testmod(import_module(name)).failed == 0
