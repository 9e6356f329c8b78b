"""By which wire messages travel: adapters of `integration.Transport`, each imported on purpose."""

from __future__ import annotations

from effect_runtime.transports._in_process import InProcess

__all__ = ["InProcess"]
