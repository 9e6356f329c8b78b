"""The store in memory: the same duties as on disk, kept in dictionaries with an undo log.

For tests, examples and contexts without durable data. What it holds belongs to the `MemoryStore` value and survives
closing and opening it again, as a file would; it does not survive its process.
"""

from __future__ import annotations

from effect_runtime.outbox.memory._session import MemoryReadSession, MemorySession
from effect_runtime.outbox.memory._store import MemoryStore

__all__ = ["MemoryReadSession", "MemorySession", "MemoryStore"]
