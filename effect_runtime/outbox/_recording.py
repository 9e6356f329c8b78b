"""The operations of a failed attempt as bytes that a dead letter can keep, and back.

What the codec can carry is kept as it would travel, secrets covered; anything else is kept as text for people. Knows
no store; `app` replays what this reads.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints

from attrs import field, frozen
from returns.result import Result

from effect_runtime.dispatch import DueCommands
from effect_runtime.effect import Call, Failed, Kind, Operation, Succeeded
from effect_runtime.events import Events
from effect_runtime.integration import Outbox, Secrets, encode_value, shown_value
from effect_runtime.interpreter import Defect, Performed, Recording
from effect_runtime.outbox._text import bounded

SHOWN: Final = "$shown"
"""The member of an object that stands for a value which could only be shown, not kept."""

LARGEST_RECORDING: Final = 256 * 1024
"""Bytes that a dead letter keeps of its operations at most: half for the first ones, half for the last."""

LARGEST_VALUE: Final = 16 * 1024
"""Bytes of one argument or answer that are kept; a larger one is shown by its beginning and end."""

COLLECTORS: Final = (Events, Outbox, DueCommands)
"""Services of the unit of work itself: what they are given is a consequence, and a replay lets it happen again."""

Ending: TypeAlias = Literal["succeeded", "failed", "died", "unfinished"]


@frozen
class Face:
    """The annotations of an operation's method: its parameters after the service, its answer and its failure."""

    signature: inspect.Signature
    kinds: Mapping[str, Any]
    answer: Any
    failure: Any

    def arguments(self, operation: Operation) -> dict[str, Any]:
        """Return the arguments of a call by the names of their parameters."""
        bound = self.signature.bind(*operation.call, **operation.kwargs)
        # The first is the service itself, of which there is nothing to keep.
        return dict(list(bound.arguments.items())[1:])


@frozen(kw_only=True)
class RecordedOperation:
    """One operation as a dead letter keeps it: `arguments` and `value` are JSON forms.

    `collecting`: `emit`, `publish`, `send_later` and their kin. Operations of one `branch` followed one another.
    `value` is the answer, the failure, or what is kept of a defect.
    """

    place: str
    kind: Kind | Literal["collecting"]
    branch: int
    arguments: Mapping[str, Any]
    ending: Ending
    value: Any = None

    @property
    def is_shown(self) -> bool:
        """Tell whether its value could only be shown, so that nobody can give the same answer again."""
        return isinstance(self.value, dict) and SHOWN in self.value

    def __str__(self) -> str:
        return spelled(self.place, self.arguments)


@frozen(kw_only=True)
class RecordedAttempt:
    """The operations of one attempt; `cut` of them are missing before the one at `cut_at`."""

    operations: tuple[RecordedOperation, ...] = field(converter=tuple[RecordedOperation, ...])
    cut: int = 0
    cut_at: int = 0


def encoded_recording(recording: Recording, secrets: Secrets) -> bytes | None:
    """Encode what was recorded, within `LARGEST_RECORDING`; None when no attempt was made. Never raises."""
    if not recording.has_begun:
        return None
    entries = [_dumped(_written(entry, secrets)) for entry in recording.entries]
    # The beginning tells how it came about and the end why it failed: what is left out is left out in between.
    middle = len(entries) // 2
    first = _within(entries[:middle], LARGEST_RECORDING // 2)
    last = _within(entries[middle:][::-1], LARGEST_RECORDING // 2)[::-1]
    cut = recording.cut + len(entries) - len(first) - len(last)
    operations = b",".join((*first, *last))
    return b'{"cut":%d,"cut_at":%d,"operations":[%b],"version":1}' % (cut, len(first), operations)


def decoded_recording(body: bytes) -> RecordedAttempt:
    """Read what `encoded_recording` wrote."""
    document = json.loads(body)
    operations = tuple(RecordedOperation(**operation) for operation in document["operations"])
    return RecordedAttempt(operations=operations, cut=document["cut"], cut_at=document["cut_at"])


def written_arguments(operation: Operation, secrets: Secrets) -> dict[str, Any]:
    """Return the arguments of an operation as they are recorded, by parameter."""
    if isinstance(operation, Call):
        return {"message": _argument(operation.message, Any, secrets)}
    face = face_of(operation.function)
    return {
        name: _argument(value, face.kinds.get(name, Any), secrets) for name, value in face.arguments(operation).items()
    }


def spelled(place: str, arguments: Mapping[str, Any]) -> str:
    """Return an operation as people write it: `Books.get(book_id="dune")`."""
    return bounded(f"{place}({', '.join(f'{name}={spelled_form(form)}' for name, form in arguments.items())})")


def spelled_form(form: Any) -> str:
    """Return a JSON form as people read it."""
    return form[SHOWN] if isinstance(form, dict) and SHOWN in form else json.dumps(form, ensure_ascii=False)


# Resolving annotations evaluates text: once for each method, not for each operation of each letter.
@lru_cache(maxsize=1024)
def face_of(function: Callable[..., Any]) -> Face:
    """Read the annotations of an operation's method; what cannot be resolved is `Any`."""
    try:
        # With extras: `Redacted[...]` is one, and without it a secret would be kept.
        kinds = get_type_hints(function, include_extras=True)
    except Exception:  # names that only a type checker can see: values are shown then
        kinds = {}
    answer, failure = kinds.pop("return", Any), Any
    if get_origin(answer) is Result:
        answer, failure = get_args(answer)
    return Face(inspect.signature(function), kinds, answer, failure)


def _written(entry: Performed, secrets: Secrets) -> dict[str, Any]:
    """Return one operation as plain JSON data, whatever the user's objects do about it."""
    operation, ending, value = entry.operation, "unfinished", None
    try:
        place, arguments = entry.place, written_arguments(operation, secrets)
    except Exception as error:
        place, arguments = operation.name, {"arguments": {SHOWN: f"<not shown: {type(error).__name__}>"}}
    try:
        ending, value = _ended(entry, secrets)
    except Exception as error:
        value = {SHOWN: f"<not shown: {type(error).__name__}>"}
    return {
        "place": place,
        "kind": "collecting" if isinstance(operation.service, COLLECTORS) else operation.kind,
        "branch": entry.branch,
        "arguments": arguments,
        "ending": ending,
        "value": value,
    }


def _ended(entry: Performed, secrets: Secrets) -> tuple[Ending, Any]:
    match entry.ending:
        case Succeeded(value):
            return "succeeded", _answer(entry.operation, value, "answer", secrets)
        case Failed(error):
            return "failed", _answer(entry.operation, error, "failure", secrets)
        case Defect() as defect:
            return "died", _defect(defect)
        case _:
            return "unfinished", None


def _answer(operation: Operation, value: Any, which: Literal["answer", "failure"], secrets: Secrets) -> Any:
    kind = Any if isinstance(operation, Call) else getattr(face_of(operation.function), which)
    return _form(value, kind, secrets)


def _argument(value: Any, kind: Any, secrets: Secrets) -> Any:
    """Return the form of an argument; nobody reads it back, so its own class will do where no annotation does."""
    form = _form(value, kind, secrets)
    if isinstance(form, dict) and SHOWN in form and not secrets.mentions(kind):
        return _form(value, type(value), secrets)
    return form


def _form(value: Any, kind: Any, secrets: Secrets) -> Any:
    with suppress(Exception):  # what the codec refuses, and annotations that it cannot even read
        body = encode_value(value, kind)
        if len(body) <= LARGEST_VALUE:
            return secrets.covered(json.loads(body), kind)
    return {SHOWN: bounded(shown_value(value, kind, secrets))}


def _defect(defect: Defect) -> dict[str, Any]:
    # By exact type: a subclass is some class of the user's, and would come back as another.
    plain = all(argument is None or type(argument) in (str, int, float, bool) for argument in defect.arguments)
    return {
        "type": f"{defect.type.__module__}:{defect.type.__qualname__}",
        "text": bounded(defect.text),
        "arguments": [bounded(each) if isinstance(each, str) else each for each in defect.arguments] if plain else None,
    }


def _dumped(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _within(entries: Sequence[bytes], bound: int) -> list[bytes]:
    """Return as many entries as fit."""
    kept: list[bytes] = []
    for entry in entries:
        bound -= len(entry) + 1
        if bound < 0:
            break
        kept.append(entry)
    return kept
