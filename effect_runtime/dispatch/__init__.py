"""Who answers: contexts, their handlers, and the one unit of work in which a command happens or does not."""

from __future__ import annotations

from effect_runtime.dispatch._after_commit import AfterCommit, VolatileItem
from effect_runtime.dispatch._announce import HasEventsAndOutbox
from effect_runtime.dispatch._announce import announce as announce
from effect_runtime.dispatch._binding import Binding
from effect_runtime.dispatch._binding import ReadTransaction as ReadTransaction
from effect_runtime.dispatch._binding import Transaction as Transaction
from effect_runtime.dispatch._context import Context as Context
from effect_runtime.dispatch._dispatcher import Dispatcher
from effect_runtime.dispatch._due import Due, DueId, HasDue, cancel_due, reschedule_due, send_later
from effect_runtime.dispatch._due import no_due as no_due
from effect_runtime.dispatch._due_commands import DueCommands as DueCommands
from effect_runtime.dispatch._enqueue import enqueue, enqueue_and_wait
from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._handlers import Access, Command, DomainHandler, Policy, Query, Validator
from effect_runtime.dispatch._home import NOTHING as NOTHING
from effect_runtime.dispatch._home import Home as Home
from effect_runtime.dispatch._home import Services as Services
from effect_runtime.dispatch._home import deliveries_of as deliveries_of
from effect_runtime.dispatch._home import entries_of as entries_of
from effect_runtime.dispatch._home import reactions_of as reactions_of
from effect_runtime.dispatch._items import DUE as DUE
from effect_runtime.dispatch._nesting import atomic as atomic
from effect_runtime.dispatch._outside import OutsideUnit as OutsideUnit
from effect_runtime.dispatch._ports import (
    Agenda,
    AgendaEntry,
    AgendaItem,
    Answer,
    AuditEntry,
    Ledger,
    Store,
    TransportInterpreter,
    UnitOfWork,
    UnitStore,
)
from effect_runtime.dispatch._queues import (
    Acknowledgement,
    Expectation,
    GivenUp,
    Handled,
    Lost,
    Queues,
    StillQueued,
)
from effect_runtime.dispatch._refused import (
    CommandIdReused,
    CommitUnknown,
    Conflict,
    DeadlineExceeded,
    NotDone,
    QueueFull,
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
from effect_runtime.dispatch._refused import (
    way_out as way_out,
)
from effect_runtime.dispatch._request import Diagnostic, MessageContext, anonymous
from effect_runtime.dispatch._request import Principal as Principal
from effect_runtime.dispatch._signature import Signature
from effect_runtime.dispatch._subscription import Subscription, SubscriptionHandler, Verdict
from effect_runtime.dispatch._subscription import patient as patient
from effect_runtime.dispatch._territory import foreign_faults as foreign_faults
from effect_runtime.dispatch._territory import import_modules as import_modules
from effect_runtime.dispatch._territory import owner_of as owner_of
from effect_runtime.dispatch._verification import context_faults as context_faults
from effect_runtime.integration import stored, stored_upcaster

__all__ = [
    "Access",
    "Acknowledgement",
    "AfterCommit",
    "Agenda",
    "AgendaEntry",
    "AgendaItem",
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
    "Due",
    "DueId",
    "EventQueue",
    "Expectation",
    "GivenUp",
    "Handled",
    "HasDue",
    "HasEventsAndOutbox",
    "Ledger",
    "Lost",
    "MessageContext",
    "NotDone",
    "Policy",
    "Query",
    "QueueFull",
    "Queues",
    "Signature",
    "StillQueued",
    "Store",
    "StoreUnavailable",
    "Subscription",
    "SubscriptionHandler",
    "TransportInterpreter",
    "UnitOfWork",
    "UnitStore",
    "Validator",
    "Verdict",
    "VolatileItem",
    "anonymous",
    "cancel_due",
    "enqueue",
    "enqueue_and_wait",
    "reschedule_due",
    "send_later",
    "stored",
    "stored_upcaster",
]
