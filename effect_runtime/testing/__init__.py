"""How we know: what tests of an application are made of."""

from __future__ import annotations

from effect_runtime.testing._replay import replayed

__all__ = ["replayed"]
