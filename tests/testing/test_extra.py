"""What stands on hypothesis says so where hypothesis is missing; the rest of the kit does without."""

from __future__ import annotations

import subprocess
import sys


def imported(module: str) -> str:
    """Import a module in a process without hypothesis; return the last line of what it said."""
    code = f"import sys; sys.modules['hypothesis'] = None; import {module}; print('imported')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return (result.stdout or result.stderr).strip().splitlines()[-1]


def test_properties_name_the_extra_that_they_need() -> None:
    """The error names the package and how to install it."""
    assert imported("effect_runtime.testing.properties") == (
        "effect_runtime.errors._proving.ExtraMissing: effect_runtime.testing.properties needs hypothesis, which is not "
        'installed. Install the extra: pip install "effect-runtime[testing]".'
    )


def test_simulations_need_no_hypothesis() -> None:
    """The kit itself is imported without it."""
    assert imported("effect_runtime.testing") == "imported"
