"""Tells trouble of the store from trouble of what was handled in it. Knows no message."""

from __future__ import annotations

from typing import Final

from effect_runtime.dispatch import CommitUnknown, Conflict, StoreUnavailable
from effect_runtime.errors import (
    CommandNotDone,
    CommitUndecided,
    StoreClosed,
    StoreConflict,
    StoreDown,
    TransactionLost,
)

_STORE_TROUBLE: Final = (StoreDown, StoreClosed, StoreConflict, TransactionLost, CommitUndecided)


def is_store_trouble(exception: BaseException) -> bool:
    """Tell whether nothing but the store was in the way: no attempt is spent on that, and nothing is accepted."""
    # The other reasons are the message's: an id used for another payload, a deadline that its own work overran.
    if isinstance(exception, CommandNotDone):
        return isinstance(exception.reason, Conflict | CommitUnknown | StoreUnavailable)
    return isinstance(exception, _STORE_TROUBLE)
