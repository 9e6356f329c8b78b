"""A module that imports a driver which the core does not bring."""

from __future__ import annotations

import asyncpg  # type: ignore[import-not-found]  # absent on purpose

__all__ = ["asyncpg"]
