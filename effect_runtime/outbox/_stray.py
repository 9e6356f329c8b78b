"""Tells a cancellation that nobody asked for from one by the host.

A handler or a wire that awaits a future which somebody else has cancelled raises what looks like its own cancellation.
Passed on, it would end the loop around it, and with it the delivery of everything else. Knows no events and no wire.
"""

from __future__ import annotations

import asyncio
import math

from anyio import current_effective_deadline


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
