"""Which line of a user's program is being performed: for diagnostics that are rare and must cost nothing otherwise.

Reads the frames of the running task, where each run loop stands with its strand; asks nothing of the loop itself.
"""

from __future__ import annotations

import inspect

from effect_runtime.interpreter._loop import unfold
from effect_runtime.interpreter._strand import Strand

_LOOP = unfold.__code__


def running_line() -> str | None:
    """Return the line whose operation is being performed, or None outside an operation.

    Call it from a `Perform`, before the first await of the adapter: file, line and function of the innermost block.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is _LOOP:
            # A copy of all locals: right for a rare diagnostic, too dear for every operation.
            strand = frame.f_locals.get("strand")
            return strand.place() if isinstance(strand, Strand) else None
        frame = frame.f_back
    return None
