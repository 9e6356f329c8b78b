"""Lines of the user's: of a stack, those that belong neither to us, to anyio and attrs, nor to Python itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, Final

import anyio
import attr

_LIBRARY: Final = str(Path(__file__).parents[2])
_OTHERS: Final = ("<", _LIBRARY, *(str(Path(found).parent) for found in (anyio.__file__, attr.__file__)))
_STANDARD: Final = str(Path(asyncio.__file__).parents[1])


def line_of(frame: FrameType) -> str | None:
    """Return the file, line and function of a frame; None for what no user has written."""
    code = frame.f_code
    return None if is_foreign(code.co_filename) else f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"


def is_foreign(file: str) -> bool:
    """Tell whether no user has written a file."""
    return file.startswith(_OTHERS) or (file.startswith(_STANDARD) and "site-packages" not in file)


def place_of(frame: FrameType | None) -> str | None:
    """Return the innermost line of the user's from a frame outwards, as far as the run goes."""
    while frame is not None and not (frame.f_code.co_name == "drive" and frame.f_code.co_filename.startswith(_LIBRARY)):
        line = line_of(frame)
        if line is not None:
            return line
        frame = frame.f_back
    return None


def lines_awaited(awaited: Any) -> tuple[str, ...]:
    """Return the lines of the user's on which a suspended coroutine stands, the innermost last, each once."""
    return tuple(dict.fromkeys(line for frame in _frames(awaited) for line in _lines(frame)))


def _frames(awaited: Any) -> Iterator[Any]:
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            yield frame
            driven = frame.f_locals.get("coroutine")  # of what must not be interrupted: driven by hand, not awaited
            if isinstance(driven, CoroutineType):
                yield from _frames(driven)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _lines(frame: Any) -> Iterator[str]:
    strand = frame.f_locals.get("strand")  # a run loop: the blocks of its program are not among the awaits
    blocks = [each for each in getattr(strand, "stack", ()) if isinstance(each, GeneratorType)]
    for each in (frame, *(inner for block in blocks for inner in _frames(block))):
        line = line_of(each)
        if line is not None:
            yield line
