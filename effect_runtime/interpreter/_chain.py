"""Long chains of instructions on the stack, folded so that a million of them take the memory of a few thousand.

A left-nested chain links its own nodes, so a stretch of it can stand on the stack as its first node and its length,
and be walked again when the value comes back. Knows no task and no block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from effect_runtime.effect import Pure
from effect_runtime.interpreter._strand import FOLD_AT, Effect, Resume, Strand, Unwind


@final
class _Stretch:
    """Stand for `FOLD_AT` frames, each the source of the one before; the first is `outermost`."""

    __slots__ = ("outermost",)

    def __init__(self, outermost: Any) -> None:
        self.outermost = outermost


def fold(strand: Strand) -> None:
    """Fold the innermost frames into one if they are one stretch of a chain; else wait until the stack has doubled."""
    stack = strand.stack
    start = len(stack) - FOLD_AT
    linked = all(getattr(stack[index], "source", None) is stack[index + 1] for index in range(start, len(stack) - 1))
    if not linked:
        # A stack that cannot be folded is looked at ever more rarely, so the look costs nothing for each frame.
        strand.fold_at = 2 * len(stack)
        return
    outermost = stack[start]
    del stack[start:]
    stack.append(_Stretch(outermost))
    strand.fold_at = len(stack) + FOLD_AT


def _spread(strand: Strand, stretch: _Stretch) -> None:
    frame = stretch.outermost
    for _ in range(FOLD_AT):
        strand.stack.append(frame)
        frame = frame.source


def _resume_stretch(strand: Strand, stretch: _Stretch, value: Any) -> Effect:
    _spread(strand, stretch)
    return Pure(value)


def _unwind_stretch(strand: Strand, stretch: _Stretch, error: BaseException) -> None:
    _spread(strand, stretch)


RESUME: Mapping[type[Any], Resume] = {_Stretch: _resume_stretch}
UNWIND: Mapping[type[Any], Unwind] = {_Stretch: _unwind_stretch}
