"""How errors become the text that dead letters and waiting rows keep: bounded, and with the place.

Knows no store. What it returns is for people; nothing parses it.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from typing import Final

from attrs import has

from effect_runtime.integration import Secrets, shown_value

_LIBRARY: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

ERROR_LENGTH: Final = 2_000
"""The longest text kept of one error."""

_NO_SECRETS: Final = Secrets()

HISTORY_LENGTH: Final = 20
"""The most attempts kept of one event: the first half and the last half."""


def bounded(text: str) -> str:
    """Return the text as a store can keep it, cut in the middle when it is longer than we keep."""
    text = text.encode("utf-8", "backslashreplace").decode()  # file names, for one, may hold lone surrogates
    if len(text) <= ERROR_LENGTH:
        return text
    half = (ERROR_LENGTH - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def extended(history: Sequence[str], entry: str) -> tuple[str, ...]:
    """Return the history with one more entry; of a long one the middle is dropped."""
    entries = (*history, bounded(entry))
    if len(entries) <= HISTORY_LENGTH:
        return entries
    half = HISTORY_LENGTH // 2
    return (*entries[:half], *entries[-half:])


def shown(value: object, secrets: Secrets = _NO_SECRETS) -> str:
    """Return the `repr` of a user's value, whatever that raises; the fields of an attrs object without secrets."""
    try:
        if has(type(value)) or type(value) in secrets.types:
            return shown_value(value, type(value), secrets)
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def described(exception: BaseException) -> str:
    """Return what an exception says and where the user's code raised it, in one line."""
    lines = "".join(traceback.format_exception_only(exception)).strip().splitlines()
    said = "; ".join(line.rstrip(".") for line in lines)
    frames = traceback.extract_tb(exception.__traceback__)
    # The last frame outside of this package: our own names tell a reader nothing that can be mended.
    theirs = [frame for frame in frames if not frame.filename.startswith(_LIBRARY)]
    if not theirs:
        return bounded(said)
    last = theirs[-1]
    return bounded(f"{said} ({last.filename}:{last.lineno} in {last.name})")
