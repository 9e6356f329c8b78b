"""Lines of the user's: of a stack, those that belong neither to us, to anyio and attrs, nor to Python itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import FrameType
from typing import Final

import anyio
import attr

_LIBRARY: Final = str(Path(__file__).parents[1])
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
