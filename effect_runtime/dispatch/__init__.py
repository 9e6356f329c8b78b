"""Who answers: contexts, their handlers, and the one unit of work in which a command happens or does not."""

from __future__ import annotations

from effect_runtime.dispatch._announce import HasEventsAndOutbox
from effect_runtime.dispatch._announce import announce as announce
from effect_runtime.dispatch._binding import Binding
from effect_runtime.dispatch._binding import ReadTransaction as ReadTransaction
from effect_runtime.dispatch._binding import Transaction as Transaction
from effect_runtime.dispatch._context import Context as Context
from effect_runtime.dispatch._dispatcher import Dispatcher, OutsideUnit
from effect_runtime.dispatch._dispatcher import atomic as atomic
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
    NotDone,
    StoreUnavailable,
)
from effect_runtime.dispatch._refused import (
    Forbidden as Forbidden,
)
from effect_runtime.dispatch._refused import (
    Invalid as Invalid,
)
from effect_runtime.dispatch._refused import (
    Refused as Refused,
)
from effect_runtime.dispatch._request import Diagnostic, MessageContext, anonymous
from effect_runtime.dispatch._request import Principal as Principal
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
    "DeadlineExceeded",
    "Diagnostic",
    "Dispatcher",
    "DomainHandler",
    "HasEventsAndOutbox",
    "Home",
    "Ledger",
    "MessageContext",
    "NotDone",
    "OutsideUnit",
    "Policy",
    "Query",
    "Services",
    "Signature",
    "Store",
    "StoreUnavailable",
    "Subscription",
    "SubscriptionHandler",
    "TransportInterpreter",
    "UnitOfWork",
    "UnitStore",
    "Validate",
    "Verdict",
    "anonymous",
    "context_faults",
    "deliveries_of",
    "entries_of",
    "foreign_faults",
    "import_modules",
    "owner_of",
    "reactions_of",
]
