"""Which of several things that went wrong is told, and how the others are kept.

The rule, once: the host's cancellation, else defects (one, or a group), else the failure with the lowest index;
the others become notes. Knows no task and no scope.
"""

from __future__ import annotations

from collections.abc import Iterable

from effect_runtime.effect import Raised


def worst(errors: Iterable[BaseException]) -> BaseException | None:
    """Return the one exception to raise for all of `errors`, which are in the order of their index."""
    found: list[BaseException] = []
    for error in errors:
        # By identity: the class of an exception may refuse to be compared, and one exception can come by two ways.
        if not any(error is known for known in found):
            found.append(error)
    hosts = [error for error in found if not isinstance(error, (Exception, Raised))]
    if hosts:
        return _noted(hosts[0], found)
    defects = [error for error in found if isinstance(error, Exception)]
    if len(defects) > 1:
        failures: list[BaseException] = [error for error in found if isinstance(error, Raised)]
        return _noted(ExceptionGroup("several defects at once", defects), failures)
    if defects:
        return _noted(defects[0], found)
    return _noted(found[0], found) if found else None


def _noted(chosen: BaseException, found: list[BaseException]) -> BaseException:
    for other in found:
        if other is not chosen:
            note(chosen, f"at the same time: {describe(other)}")
    return chosen


def note(exception: BaseException, text: str) -> None:
    """Add a note to an exception unless it has it already."""
    notes = getattr(exception, "__notes__", ())
    if text not in notes:
        # Not by `add_note`: the class of an exception may forbid it, as a frozen dataclass does.
        BaseException.__setattr__(exception, "__notes__", [*notes, text])


def describe(error: BaseException) -> str:
    """Say in one line what an exception stands for."""
    return f"typed failure {shown(error.error)}" if isinstance(error, Raised) else _text_of(error)


def shown(value: object) -> str:
    """Return the representation of a value, or at least its class: what goes wrong must not hide what went wrong."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _text_of(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
