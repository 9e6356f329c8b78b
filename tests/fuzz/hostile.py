"""Inputs that a stranger, a bug or a broken disk might send. Pure: an input follows from its seed alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from tests.fuzz.contracts import EVENT_DATA

BOUND: Final = 256 * 1024
"""The longest text that a mutation makes on purpose; what is refused by its length is made once in a while."""


def deep(random: Random) -> str:
    """Return JSON that nests, up to far beyond what a recursive reader can stand."""
    depth = random.choice((10, 63, 64, 65, 66, 500, 5_000, 100_000))
    left, right = random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    return left * depth + random.choice(("1", "", "null")) + right * random.choice((depth, depth - 1, 0))


RAW: Final[Sequence[Callable[[Random], str]]] = (
    deep,
    lambda random: random.choice(("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E-400", "-0", "0.1e1")),
    lambda random: random.choice("-1") + "9" * random.choice((1, 18, 19, 20, 400, 1_300, 4_299, 4_301, 20_000)),
    lambda random: '"' + random.choice(("\\ud800", "\\udfff\\ud800", "\\ud83d\\ude00", "\\u0000", "\\x", "\\")) + '"',
    lambda random: '"' + random.choice("aé\u2028 \\") * random.choice((1, 255, 257, 65_536, 65_537, BOUND)) + '"',
    lambda random: '{"a":1,"a":2}',
    lambda random: "{" + ",".join(f'"k{n}":{n}' for n in range(random.choice((0, 1, 5_000)))) + "}",
    lambda random: random.choice(("", "null", "true", "[]", "{}", '""', "0", "1.5", '"x"', "'x'", "//", "[1,]", "tru")),
)
"""JSON texts, or nearly, that take the place of a value."""

VALUES: Final[Sequence[Any]] = (
    None, True, False, 0, 1, -1, 2**31, 2**63 - 1, 2**63, 10**400, 1.5, -0.0, 1e308, "", " ", "0", "1", "+1", "0x1",
    "1e9", "x" * 65_537, "\x00", "\x7f", "\u2028", "\ud7ff", "é", "e\u0301", "\U0001f600", "../../etc/passwd", "NaN",
    "2026-03-01T12:00:00Z", "2026-03-01T12:00:00", "2026-13-01", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "1E+999999999", "9" * 5_000, "%s%n", "'; DROP TABLE er_inbox; --", [], {}, [[]],
    [None], {"": None}, {"$type": "Fee"}, {"a": {"b": {"c": []}}}, ["x"] * 1_000,
)  # fmt: skip
"""Values of every kind in every place."""

PIECES: Final = (b"\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b'"', b"{", b"\\u")
"""Bytes that mean something, in places where they do not."""

ATTRIBUTES: Final = (
    "id", "source", "type", "topic", "correlationid", "partitionkey", "causationid", "traceparent", "tracestate",
    "tenant", "specversion", "datacontenttype", "time", "eventversion", "sequence", "data", "data_base64", "unknown",
)  # fmt: skip
TYPES: Final = (*EVENT_DATA, "lending.book-lent", "lending.unknown", "effect-runtime.discarded")


def envelope(random: Random) -> dict[str, Any]:
    """Return a sound envelope of one of the contracts; numbers and ids collide with those of others."""
    type = random.choice(TYPES)
    version, data = random.choice(EVENT_DATA.get(type, ((1, {}),)))
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"e-{random.randrange(5_000)}",
        "source": "/fuzz",
        "type": type,
        "topic": "lending" if random.random() < 0.97 else "catalog",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "eventversion": version,
        "correlationid": "c",
        "data": data,
    }
    if random.random() < 0.6:
        number = random.randrange(1, 30)
        attributes |= {"partitionkey": f"k{random.randrange(20)}", "sequence": str(number)}
        attributes["id"] = f"{attributes['partitionkey']}-{number}"
    return attributes


def hostile_attributes(random: Random) -> bytes:
    """Return an envelope of which a few attributes are wrong, missing, strange or there twice."""
    attributes = envelope(random)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        name = random.choice(ATTRIBUTES)
        if random.random() < 0.2:
            attributes.pop(name, None)
        else:
            attributes[name] = random.choice(VALUES)
    return _spelled(attributes, random)


def hostile_payload(random: Random) -> bytes:
    """Return a sound envelope around a payload of which a few places are wrong."""
    attributes = envelope(random)
    data: Any = json.loads(json.dumps(attributes["data"]))
    for _ in range(random.choice((1, 1, 2, 4))):
        data = _spoilt(data, random)
    attributes["data"] = data
    return _spelled(attributes, random)


def hostile_text(random: Random) -> bytes:
    """Return an envelope whose JSON is broken by hand: in the place of one value stands something raw."""
    attributes = envelope(random)
    place = random.choice(list(attributes))
    attributes[place] = "@here@"
    if place != "data" and random.random() < 0.5:
        attributes["data"] = {"text": "@here@"}
    return _spelled(attributes, random).replace(b'"@here@"', random.choice(RAW)(random).encode("utf-8", "replace"))


def hostile_bytes(random: Random) -> bytes:
    """Return bytes that were an envelope before something cut, doubled, flipped or replaced parts of them."""
    body = bytearray(_spelled(envelope(random), random))
    for _ in range(random.choice((1, 1, 2, 8))):
        _damage(body, random)
    return bytes(body)


def nothing_like_it(random: Random) -> bytes:
    """Return what was never an envelope."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(random.choice((0, 1, 3, 64, 4_096)))
    if kind == 1:
        return random.choice(RAW)(random).encode("utf-8", "replace")
    if kind == 2:
        return base64.b64encode(random.randbytes(100))
    return json.dumps([envelope(random)]).encode(random.choice(("utf-8", "utf-16", "utf-32", "utf-8-sig")))


MESSAGES: Final[Sequence[Callable[[Random], bytes]]] = (
    hostile_attributes, hostile_attributes, hostile_payload, hostile_payload, hostile_text, hostile_bytes,
    nothing_like_it, lambda random: _spelled(envelope(random), random),
)  # fmt: skip


def message(seed: str) -> bytes:
    """Return the message of a seed."""
    random = Random(seed)
    return random.choice(MESSAGES)(random)


def damaged_text(text: str, random: Random) -> str:
    """Return a text of which parts are wrong: for documents that are read whole."""
    if random.random() < 0.5:
        document = json.loads(text)
        for _ in range(random.choice((1, 2, 5))):
            document = _spoilt(document, random)
        return json.dumps(document, indent=random.choice((None, 2)))
    body = bytearray(text.encode())
    for _ in range(random.choice((1, 2, 8))):
        _damage(body, random)
    return bytes(body).decode("utf-8", random.choice(("replace", "ignore", "surrogateescape")))


def damaged_bytes(body: bytes, random: Random) -> bytes:
    """Return bytes of which parts are wrong."""
    damaged = bytearray(body)
    for _ in range(random.choice((1, 1, 3, 20))):
        _damage(damaged, random)
    return bytes(damaged)


def _spelled(attributes: dict[str, Any], random: Random) -> bytes:
    return json.dumps(attributes, ensure_ascii=random.random() < 0.5).encode("utf-8", "backslashreplace")


def _spoilt(value: Any, random: Random) -> Any:
    """Return a JSON value with one place of it changed, dropped or added."""
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return random.choice(VALUES)
    if isinstance(value, list):
        place = random.randrange(len(value))
        return [*value[:place], _spoilt(value[place], random), *value[place + 1 :]]
    name = random.choice(list(value))
    if random.random() < 0.15:
        return {other: inner for other, inner in value.items() if other != name}
    if random.random() < 0.1:
        return {**value, random.choice(("", "$type", "__class__", "x" * 300)): random.choice(VALUES)}
    return {**value, name: _spoilt(value[name], random)}


def _damage(body: bytearray, random: Random) -> None:
    """Change some bytes in place."""
    place = random.randrange(len(body) + 1)
    length = random.choice((1, 1, 2, 16))
    match random.randrange(6):
        case 0:
            del body[place : place + length]
        case 1:
            body[place:place] = random.randbytes(length)
        case 2:
            body[place : place + length] = random.choice(
                (b"\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b'"', b"{")
            )
        case 3:
            body[place:place] = body[random.randrange(len(body) + 1) :][:64]
        case 4:
            del body[place:]
        case _:
            if place < len(body):
                body[place] ^= 1 << random.randrange(8)
