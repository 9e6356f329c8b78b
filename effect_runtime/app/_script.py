"""Recorded operations on their way back to a handler: each request is answered with what was recorded, or refused.

Knows the recording and the operations that come by; knows no dispatch and no letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, final

from returns.result import Failure, Success

from effect_runtime.effect import Call, Operation
from effect_runtime.errors import (
    AnswerNotRecorded,
    EffectRuntimeError,
    RecordedDefect,
    RecordingDiverged,
    Undecodable,
)
from effect_runtime.integration import COVER, Secrets, structure_value, uncovered
from effect_runtime.interpreter import Perform, stub
from effect_runtime.outbox import (
    COLLECTORS,
    SHOWN,
    RecordedAttempt,
    RecordedOperation,
    face_of,
    spelled,
    written_arguments,
)

_OPEN: Final = Secrets()


@final
class Script:
    """The recorded operations on their way back to the handler, each given once. Owned by one replay.

    `answers` come before what was recorded. Operations of one branch are given in their order; those of parallel
    branches in any. Local operations that were not recorded are done again, and what can only answer None does so.
    `trouble` is the first request that it could not answer: a handler that catches everything must not hide it.
    """

    def __init__(self, attempt: RecordedAttempt, answers: Mapping[Any, Any]) -> None:
        self._attempt = attempt
        self._answers = answers
        self._left = [each for each in enumerate(attempt.operations) if each[1].kind not in ("dispatch", "collecting")]
        self._performed = 0
        self.trouble: EffectRuntimeError | None = None

    def interceptor(self, perform: Perform) -> Perform:
        """Answer every operation of a service from the recording; let messages, emit and publish through."""
        given = stub(self._answers)(perform)

        async def answered(operation: Operation, runtime: Any) -> Any:
            if isinstance(operation, Call) or isinstance(operation.service, COLLECTORS):
                return await perform(operation, runtime)
            self._performed += 1
            is_given = any(operation.answers_to(key, runtime) for key in self._answers)
            try:
                # Asked even where an answer is given: the recorded one is used up in its turn, or all after it would
                # not match.
                recorded = self._next(operation, operation.place(runtime))
            except EffectRuntimeError as error:
                if is_given or operation.kind == "local":
                    return await (given if is_given else _again)(operation, runtime)
                self.trouble = self.trouble or error
                raise
            if is_given:
                return await given(operation, runtime)
            if recorded is None:
                return None
            if recorded.is_shown and operation.kind == "local":
                return await _again(operation, runtime)
            return self._answer(recorded, operation)

        return answered

    def _next(self, operation: Operation, place: str) -> RecordedOperation | None:
        """Return the recorded operation that this is, or None where the only possible answer is None."""
        arguments = written_arguments(operation, _OPEN)
        passed: list[int] = []
        for position, (index, entry) in enumerate(self._left):
            # All from before the cut is used up: what is asked for now may be among what was cut off.
            if self._attempt.cut and passed == [] and index >= self._attempt.cut_at:
                reason = f"the recording is cut there, and {self._attempt.cut} operations are missing"
                raise AnswerNotRecorded(self._performed, performed=spelled(place, arguments), reason=reason)
            # A branch is answered by its own next entry alone; the first of another branch may come before it.
            if entry.place == place and _is_same(entry.arguments, arguments) and entry.branch not in passed:
                del self._left[position]
                return entry
            passed.append(entry.branch)
        if self._left:
            recorded = str(self._left[0][1])
            raise RecordingDiverged(self._performed, recorded=recorded, performed=spelled(place, arguments))
        if face_of(operation.function).answer is type(None):
            return None
        reason = "the recorded attempt ended before it"
        raise AnswerNotRecorded(self._performed, performed=spelled(place, arguments), reason=reason)

    def _answer(self, recorded: RecordedOperation, operation: Operation) -> Any:
        face = face_of(operation.function)
        match recorded.ending:
            case "succeeded":
                return Success(self._value(recorded, face.answer))
            case "failed":
                return Failure(self._value(recorded, face.failure))
            case "died":
                raise _revived(recorded.value)
            case "unfinished":
                raise self._refused(recorded, "the attempt was cut off while it was running")

    def _value(self, recorded: RecordedOperation, kind: Any) -> Any:
        if recorded.is_shown:
            raise self._refused(recorded, f"it could only be kept as text, {recorded.value[SHOWN]}")
        try:
            return structure_value(kind, uncovered(recorded.value, kind))
        except Undecodable as error:
            raise self._refused(recorded, f"what was recorded is no such value any more ({error})") from error

    def _refused(self, recorded: RecordedOperation, reason: str) -> EffectRuntimeError:
        error = AnswerNotRecorded(self._performed, performed=str(recorded), reason=reason)
        self.trouble = self.trouble or error
        return error


async def _again(operation: Operation, runtime: Any) -> Any:
    """Perform a local operation, which touches nothing outside the process."""
    return await operation.function(*operation.call, **operation.kwargs)


def _is_same(recorded: Any, performed: Any) -> bool:
    """Compare JSON forms; what is covered in either is the same as anything."""
    if COVER in (recorded, performed):
        return True
    if isinstance(recorded, dict) and isinstance(performed, dict):
        if SHOWN in recorded and SHOWN in performed and COVER in str(recorded[SHOWN]):
            return True
        return recorded.keys() == performed.keys() and all(
            _is_same(recorded[name], performed[name]) for name in recorded
        )
    if isinstance(recorded, list) and isinstance(performed, list):
        return len(recorded) == len(performed) and all(map(_is_same, recorded, performed))
    return bool(recorded == performed)


def _revived(defect: Mapping[str, Any]) -> Exception:
    """Build an exception again, as far as its class lets us."""
    module, _, name = str(defect["type"]).partition(":")
    with suppress(Exception):
        kind: Any = import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        if defect["arguments"] is not None and issubclass(kind, Exception):
            error = kind(*defect["arguments"])
            # An exception need not keep its arguments as they were given: one that says something else would mislead.
            if str(error) == defect["text"]:
                return error  # type: ignore[no-any-return]  # checked to be an Exception
    return RecordedDefect(f"{module}.{name}", defect["text"])
