"""JSON in one canonical spelling, and a reader that bytes from a stranger cannot hurt.

Knows no event and no envelope: only text, limits and what is wrong with a body.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NoReturn

LARGEST_BODY: Final = 8 * 1024 * 1024
"""Bytes of a body that are looked at; a larger one is refused unread."""

DEEPEST: Final = 64
"""Levels of nesting that are accepted."""

_BACKSLASH_U: Final = b"\\u"
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


class BadJson(Exception):
    """Say what is wrong with a body; stays inside this chapter."""


def canonical(value: Any) -> bytes:
    """Spell a value in the one way: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for what JSON cannot hold: NaN, infinities, lone surrogates.
    """
    return _encode(value).encode("utf-8")


def parse(body: bytes) -> Any:
    """Read a body from anywhere; raises `BadJson` for every kind of bad body and nothing else."""
    if len(body) > LARGEST_BODY:
        raise BadJson(f"is {len(body)} bytes long, more than {LARGEST_BODY}")
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadJson(f"is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise BadJson(f"is not JSON ({error.msg} at {error.pos})") from error
    except ValueError as error:
        raise BadJson(f"holds a number of too many digits ({error})") from error
    except RecursionError as error:
        raise BadJson(f"nests deeper than {DEEPEST}") from error
    # The parser's own bound is Python's recursion limit, which depends on who calls; a promise does not.
    _refuse_depth(value, DEEPEST)
    # UTF-8 itself cannot hold half of a pair: only an escape can bring one in, and most bodies have none.
    if _BACKSLASH_U in body:
        _refuse_surrogates(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    # Readers differ in which of two members of one name they believe, so nobody shall have to choose.
    if len(members) != len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise BadJson(f"names '{name}' twice in one object")
    return members


def _constant(name: str) -> NoReturn:
    raise BadJson(f"holds {name}, which is no JSON")


def _number(text: str) -> float:
    value = float(text)
    # `1e999` is a number to JSON and infinity to Python, which could not be written again.
    if value in (float("inf"), float("-inf")):
        raise BadJson(f"holds the number {text[:20]}, which is too large")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)


def _refuse_depth(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if left == 0:
            raise BadJson(f"nests deeper than {DEEPEST}")
        for member in value.values() if isinstance(value, dict) else value:
            _refuse_depth(member, left - 1)


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadJson("holds half of a surrogate pair") from error
