"""Tells trouble that is nobody's here from trouble of what was handled: of the store, and a cancellation gone astray.

A handler or a wire that awaits a future which somebody else has cancelled raises what looks like its own cancellation.
Passed on, it would end the loop around it, and with it the delivery of everything else. Knows no message and no wire.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from anyio import current_effective_deadline

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


def is_stray(error: BaseException) -> bool:
    """Tell whether an error is a cancellation that neither a cancel scope nor anybody's `Task.cancel()` asks for.

    Ask it outside of the scopes that were entered for the call which raised.
    """
    if not isinstance(error, asyncio.CancelledError) or current_effective_deadline() == -math.inf:
        return False
    # `Task.cancel` leaves no trace in anyio's scopes, only in this count.
    task = asyncio.current_task() if _is_on_asyncio() else None
    return task is None or not task.cancelling()


def _is_on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
