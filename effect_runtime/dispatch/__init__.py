"""Who answers: contexts, their handlers, and the one unit of work in which a command happens or does not."""

from __future__ import annotations

from effect_runtime.dispatch._announce import HasEventsAndOutbox, announce
from effect_runtime.dispatch._binding import Binding, ReadTransaction, Transaction
from effect_runtime.dispatch._context import Context
from effect_runtime.dispatch._dispatcher import Dispatcher, OutsideUnit, atomic
from effect_runtime.dispatch._handlers import Access, Command, DomainHandler, Policy, Query, Validate
from effect_runtime.dispatch._home import NOTHING, Home, Services, deliveries_of, entries_of, reactions_of
from effect_runtime.dispatch._ports import (
    Answer,
    AuditEntry,
    Ledger,
    Store,
    TransportInterpreter,
    UnitOfWork,
    UnitStore,
)
from effect_runtime.dispatch._refused import (
    CommandIdReused,
    CommitUnknown,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Invalid,
    NotDone,
    Refused,
    StoreUnavailable,
)
from effect_runtime.dispatch._request import Diagnostic, MessageContext, Principal, anonymous
from effect_runtime.dispatch._signature import Signature
from effect_runtime.dispatch._subscription import Subscription, SubscriptionHandler, Verdict
from effect_runtime.dispatch._territory import foreign_faults, import_modules, owner_of
from effect_runtime.dispatch._verification import context_faults

__all__ = [
    "NOTHING",
    "Access",
    "Answer",
    "AuditEntry",
    "Binding",
    "Command",
    "CommandIdReused",
    "CommitUnknown",
    "Conflict",
    "Context",
    "DeadlineExceeded",
    "Diagnostic",
    "Dispatcher",
    "DomainHandler",
    "Forbidden",
    "HasEventsAndOutbox",
    "Home",
    "Invalid",
    "Ledger",
    "MessageContext",
    "NotDone",
    "OutsideUnit",
    "Policy",
    "Principal",
    "Query",
    "ReadTransaction",
    "Refused",
    "Services",
    "Signature",
    "Store",
    "StoreUnavailable",
    "Subscription",
    "SubscriptionHandler",
    "Transaction",
    "TransportInterpreter",
    "UnitOfWork",
    "UnitStore",
    "Validate",
    "Verdict",
    "announce",
    "anonymous",
    "atomic",
    "context_faults",
    "deliveries_of",
    "entries_of",
    "foreign_faults",
    "import_modules",
    "owner_of",
    "reactions_of",
]
