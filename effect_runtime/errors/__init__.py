"""Every exception this library raises; each builds its own sentence from facts."""

from __future__ import annotations

from effect_runtime.errors._codes import Code
from effect_runtime.errors._delivering import (
    AlreadyListening,
    DeadLetterClosed,
    DeadLetterUnknown,
    DestinationUnavailable,
    MessageRejected,
    PartitionPaused,
    PublishForbidden,
)
from effect_runtime.errors._integration import (
    BadEnvelope,
    BadPayload,
    ForeignEvent,
    QueueClosed,
    Undecodable,
    UndecodableMessage,
    UnknownEvent,
    Unserializable,
)
from effect_runtime.errors._root import ConfigurationError, EffectRuntimeError, Fault, raise_faults
from effect_runtime.errors._source import SourceUnreadable
from effect_runtime.errors._storing import (
    CommitUndecided,
    EventTooLarge,
    MigrationChanged,
    MigrationFailed,
    MigrationsPending,
    SavepointGone,
    StatementRefused,
    StoreClosed,
    StoreConflict,
    StoreDown,
    StoreForked,
    StoreUnsafe,
    TransactionLost,
    UnitEnded,
)

__all__ = [
    "AlreadyListening",
    "BadEnvelope",
    "BadPayload",
    "Code",
    "CommitUndecided",
    "ConfigurationError",
    "DeadLetterClosed",
    "DeadLetterUnknown",
    "DestinationUnavailable",
    "EffectRuntimeError",
    "EventTooLarge",
    "Fault",
    "ForeignEvent",
    "MessageRejected",
    "MigrationChanged",
    "MigrationFailed",
    "MigrationsPending",
    "PartitionPaused",
    "PublishForbidden",
    "QueueClosed",
    "SavepointGone",
    "SourceUnreadable",
    "StatementRefused",
    "StoreClosed",
    "StoreConflict",
    "StoreDown",
    "StoreForked",
    "StoreUnsafe",
    "TransactionLost",
    "Undecodable",
    "UndecodableMessage",
    "UnitEnded",
    "UnknownEvent",
    "Unserializable",
    "raise_faults",
]
