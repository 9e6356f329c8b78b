"""The store in one SQLite file: the embedded default, durable and shared by the processes of one machine.

Write-ahead log with `synchronous = FULL`; one writer with group commit, snapshots for readers, everything the library
keeps in tables named `er_...` beside the user's own.
"""

from __future__ import annotations

from effect_runtime.outbox.sqlite._connection import Medium
from effect_runtime.outbox.sqlite._migration import Migration
from effect_runtime.outbox.sqlite._session import Parameters, Row, SqliteReadSession, SqliteSession, Value
from effect_runtime.outbox.sqlite._store import SqliteStore

__all__ = ["Medium", "Migration", "Parameters", "Row", "SqliteReadSession", "SqliteSession", "SqliteStore", "Value"]
