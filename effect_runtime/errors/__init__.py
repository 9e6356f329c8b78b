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
from effect_runtime.errors._root import ConfigurationError, EffectRuntimeError, Fault, raise_faults
from effect_runtime.errors._source import SourceUnreadable

__all__ = [
    "AlreadyListening",
    "Code",
    "ConfigurationError",
    "DeadLetterClosed",
    "DeadLetterUnknown",
    "DestinationUnavailable",
    "EffectRuntimeError",
    "Fault",
    "MessageRejected",
    "PartitionPaused",
    "PublishForbidden",
    "SourceUnreadable",
    "raise_faults",
]
