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
        if not any(error is known for known in found):
            found.append(error)
    hosts = [error for error in found if not isinstance(error, (Exception, Raised))]
    if hosts:
        return _noted(hosts[0], found)
    defects = [error for error in found if isinstance(error, Exception)]
    if len(defects) > 1:
        return _noted(ExceptionGroup("several defects at once", defects), [e for e in found if e not in defects])
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
    if text not in getattr(exception, "__notes__", ()):
        exception.add_note(text)


def describe(error: BaseException) -> str:
    """Say in one line what an exception stands for."""
    return str(error) if isinstance(error, Raised) else f"{type(error).__name__}: {error}"
