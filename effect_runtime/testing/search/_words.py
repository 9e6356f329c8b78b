"""Values as people read them in a report: short, without what belongs to Python alone.

Knows what a trace may hold, and cuts what is too long to help.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from returns.result import Failure, Success

from effect_runtime.dispatch import AgendaEntry, AgendaItem
from effect_runtime.effect import Cancelled, Died, Failed, Succeeded
from effect_runtime.integration import Envelope
from effect_runtime.outbox import Claimed
from effect_runtime.testing.world._witness import Change

_WIDE: Final = 72
"""Signs of one value that are shown."""

_ROWS: Final = 3
"""Rows of one table that are shown of each kind: those that went, those that came."""


def shown(value: Any) -> str:
    """Return a value in one short line."""
    words = _words(value)
    return words if len(words) <= _WIDE else f"{words[: _WIDE - 3]}..."


def asked_and_answered(values: Sequence[Any]) -> str:
    """Show what was asked for, then what came of it."""
    if not values:
        return ""
    *asked, answer = (shown(value) for value in values)
    arrow = "" if answer in ("None", "()") else f"-> {answer}" if asked else answer
    return f"{', '.join(asked)} {arrow}".strip()


def changed(changes: Sequence[Change]) -> str:
    """Show what became of rows: `loan + ('b1', 'ann')`, `copies ('b1', 1) -> ('b1', 0)`."""
    return "; ".join(words for change in changes for words in _changed(change))


def line_of(place: str) -> str:
    """Return the file's name and the line of a place."""
    file, _, rest = place.rpartition(":")
    return f"{PurePath(file).name}:{rest.split(' ')[0]}" if file else ""


def _words(value: Any) -> str:
    match value:
        case Envelope():
            return f"{value.type} {_text(value.data)}"
        case Claimed():
            return ", ".join(_words(envelope) for envelope in value.envelopes)
        case AgendaItem():
            return f"{value.reaction} {_words(value.envelope)}"
        case AgendaEntry():
            return _words(value.item)
        case tuple() if type(value) is tuple:
            return f"({', '.join(_words(each) for each in value)})" if value else "()"
        case Succeeded():
            return "succeeded" if value.value is None else f"succeeded with {_words(value.value)}"
        case Failed():
            return f"failed with {_words(value.error)}"
        case Cancelled():
            return "cancelled"
        case Died():
            return f"died of {value.exception!r}"
        case Success():
            return _words(value.unwrap())
        case Failure():
            return f"failed with {_words(value.failure())}"
        case datetime() | timedelta() | UUID():
            return str(value)
        case _:
            return repr(value)


def _changed(change: Change) -> list[str]:
    """Pair the rows that went with those that came in their place: they begin alike."""
    gone, words = list(change.gone), []
    come = []
    for row in change.come:
        before = next((old for old in gone if _is_same(old, row)), None)
        if before is None:
            come.append(row)
        else:
            gone.remove(before)
            words.append(f"{change.table} {_row(before)} -> {_row(row)}")
    for sign, rows in (("-", gone), ("+", come)):
        if rows:
            more = f" and {len(rows) - _ROWS} more" if len(rows) > _ROWS else ""
            words.append(f"{change.table} {sign} {', '.join(_row(row) for row in rows[:_ROWS])}{more}")
    return words


def _is_same(old: Any, new: Any) -> bool:
    """Tell whether two rows stand for one thing: all but the last value, or at least the first, is the same."""
    if not (isinstance(old, tuple) and isinstance(new, tuple)) or len(old) < 2:
        return False
    return bool(old[0] == new[0] and (len(old) == 2 or old[1] == new[1] or old[2:] == new[2:]))


def _row(row: Any) -> str:
    match row:
        case (str() as kind, _, bytes() as content):  # an event: its type, its key and its payload
            return shown_text(f"{kind} {_text(content)}")
        case (value,):
            return shown_text(value) if isinstance(value, str) else shown(value)
        case str():
            return shown_text(row)
        case _:
            return shown(row)


def shown_text(text: str) -> str:
    """Return a text as it is, cut."""
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 3]}..."


def _text(content: bytes) -> str:
    try:
        return json.dumps(json.loads(content), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return content.decode(errors="replace")
