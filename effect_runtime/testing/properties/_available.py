"""Whether this door can be opened: it stands on hypothesis, which the extra `[testing]` brings."""

from __future__ import annotations

from effect_runtime.errors import ExtraMissing

try:
    import hypothesis
except ModuleNotFoundError as missing:
    raise ExtraMissing("effect_runtime.testing.properties", package="hypothesis", extra="testing") from missing

HYPOTHESIS = hypothesis.__version__
"""The version that is installed."""
