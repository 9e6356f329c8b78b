"""Applications by people who did not write the kit: one planted bug each, and a twin that differs in a few lines.

Written from the public documentation, and committed before anything was searched.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.simulation.strangers.premises import Stranger


def strangers() -> list[Stranger]:
    """Return them all, by their modules' names."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name.startswith("stranger_"))
    return [import_module(f"{__name__}.{name}").STRANGER for name in names]
