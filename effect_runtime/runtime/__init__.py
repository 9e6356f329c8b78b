"""With what a program runs: services, the operations that adapters offer, and how a program asks for its runtime."""

from __future__ import annotations

from effect_runtime.runtime._operation import ask as ask
from effect_runtime.runtime._operation import operation as operation
from effect_runtime.runtime._services import Clock, Ids, Random, SystemClock, SystemIds, SystemRandom

__all__ = [
    "Clock",
    "Ids",
    "Random",
    "SystemClock",
    "SystemIds",
    "SystemRandom",
]
