"""One observation: import a module, call one function with a count, print what it gives.

Runs in the peers' environments too, and before anything was imported when importing is what is measured. So it knows
the standard library only, and as little of that as it can (no `json`).
"""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Print `(figure, result)` of `module:function` called with a count, both taken from the command line."""
    place, count = sys.argv[1:]
    module, _, function = place.partition(":")
    print(repr(getattr(import_module(module), function)(int(count))))
