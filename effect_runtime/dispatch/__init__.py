"""Who answers: contexts, their handlers, and the one unit of work in which a command happens or does not."""

from __future__ import annotations

from effect_runtime.dispatch._ports import (
    Answer,
    AuditEntry,
    Ledger,
    Store,
    TransportInterpreter,
    UnitOfWork,
    UnitStore,
)

__all__ = ["Answer", "AuditEntry", "Ledger", "Store", "TransportInterpreter", "UnitOfWork", "UnitStore"]
