"""Tracebacks as users want them: their own lines, and none of ours.

Knows where this library lives; knows no effect.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from types import CodeType, TracebackType

from effect_runtime.effect import Raised

_LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def relink(exception: BaseException) -> BaseException:
    """Take the library's frames out of the traceback of `exception` and of what caused it.

    A traceback without any frame of the user's stays whole: it is all there is to go by.
    """
    seen: set[int] = set()
    pending: list[BaseException | None] = [exception]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        # Not by assignment: the class of an exception may forbid that, as a frozen dataclass does.
        current.with_traceback(user_frames(current.__traceback__))
        if isinstance(current, BaseExceptionGroup):
            pending.extend(current.exceptions)
        pending.append(current.__cause__)
        pending.append(current.__context__)
        if isinstance(current.__context__, Raised) and current.__cause__ is None:
            # The signal is ours; its error is told elsewhere.
            BaseException.__setattr__(current, "__suppress_context__", True)
    return exception


def user_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return `traceback` without the frames of this library."""
    kept = [entry for entry in _entries(traceback) if not is_ours(entry.tb_frame.f_code)]
    linked: TracebackType | None = None
    for entry in reversed(kept):
        linked = TracebackType(linked, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return linked or traceback


def without_this_frame(error: BaseException) -> BaseException:
    """Take the frame that caught an error out of its traceback: what it keeps the error in would be a cycle."""
    caught = error.__traceback__
    return error if caught is None else error.with_traceback(caught.tb_next)


def is_ours(code: CodeType) -> bool:
    """Say whether code belongs to this library."""
    return code.co_filename.startswith(_LIBRARY)


def block_line(traceback: TracebackType | None) -> str:
    """Return the line of the innermost do-block in a traceback, for people."""
    found = "the program"
    for entry in _entries(traceback):
        code = entry.tb_frame.f_code
        if code.co_flags & inspect.CO_GENERATOR and not is_ours(code):
            found = f"{code.co_filename}:{entry.tb_lineno} in {code.co_qualname}"
    return found


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
