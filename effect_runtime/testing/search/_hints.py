"""What a deviation came between: the two things that had to be one, or what others did meanwhile.

Compares a failing run with the same run without that deviation: until then both are the same. Says what has happened
and what has not; what is wrong with it is for people to see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from effect_runtime.testing.loop._site import Plan, Site
from effect_runtime.testing.loop._trace import Step
from effect_runtime.testing.search._words import line_of
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._witness import Witness

Seen: TypeAlias = tuple[Run, Witness]
"""A run and who looked on at it."""

Again: TypeAlias = Callable[[Plan], Seen]
"""Run once more, by another plan."""

_UNDONE: Final = frozenset({"transactional"})
_PASSING: Final = frozenset({"local"})
_NO_DEED: Final = frozenset({"begin", "end", "restart", "CRASH"})
_MOST: Final = 3


def hints_of(seen: Seen, again: Again) -> list[str]:
    """Return a sentence for each deviation that came between something, in the order of the deviations."""
    run, _ = seen
    found = []
    for number, site in run.trace.deviations.items():
        title = run.trace.steps[number].what.partition(" at ")[0]
        if title.startswith("crash"):
            without = again({other: index for other, index in run.plan.items() if other != site})
            hint = _torn(without, number, site, after=title.endswith("after"))
        elif title == "switch":
            hint = _meanwhile(seen, number, site, "put off before")
        elif title.startswith("answer"):
            hint = _meanwhile(seen, number, site, "left without an answer of") or _went_on(seen, number, site, title)
        elif title.endswith("late") or title.startswith("paused"):
            hint = _meanwhile(seen, number, site, f"{title} at")
        else:
            hint = _went_on(seen, number, site, title) if site.kind == "fault" else None
        if hint is not None:
            found.append(hint)
    return found


def _torn(seen: Seen, number: int, site: Site, *, after: bool) -> str | None:
    """Name the last that a crash left done, the next that never came, and what was undone between them."""
    run, _ = seen
    steps = run.trace.steps
    mine = [each for each, step in enumerate(steps) if _is_deed(step, site) and each not in run.trace.deviations]
    past = [each for each in mine if each < number]
    future = [each for each in mine if each >= number]
    if after:
        here = next((at for at, each in enumerate(future) if steps[each].what == site.operation), None)
        if here is None:
            return None
        past, future = [*past, *future[: here + 1]], future[here + 1 :]
    done = next((each for each in reversed(past) if _lasts(seen, each, past)), None)
    missing = next((each for each in future if _lasts(seen, each, mine)), None)
    if done is None or missing is None:
        return None
    lost = next((name for each in reversed(past) if (name := _undone(seen, each, past)) is not None), None)
    also = "" if lost is None else f", and what {lost} had done in its transaction is undone"
    return f"{_deed(seen, done)} precedes {_deed(seen, missing)}; the first was done, the second was not{also}"


def _lasts(seen: Seen, number: int, among: Sequence[int]) -> bool:
    """Tell whether a step takes effect by itself: not one that a commit would have kept, nor a look."""
    kind = _kind(seen, number)
    if kind == "dispatch":  # as much as the commit in it
        before = [each for each in among if each < number]
        return bool(before) and seen[0].trace.steps[before[-1]].what == "Transaction.commit"
    return kind not in _UNDONE and kind not in _PASSING


def _undone(seen: Seen, number: int, past: Sequence[int]) -> str | None:
    """Return the message of a step in a transaction that had not been committed when the process died."""
    steps, sight = seen[0].trace.steps, seen[1].sights.get(number)
    if sight is None or sight.kind not in _UNDONE or sight.message is None:
        return None
    name = sight.message[0]
    is_over = any(steps[each].what in ("Transaction.commit", name) for each in past if each > number)
    return None if is_over else name


def _meanwhile(seen: Seen, number: int, site: Site, how: str) -> str | None:
    """Name what others did while a fiber was put off, or late."""
    run, _ = seen
    others: list[str] = []
    for other, step in enumerate(run.trace.steps[number + 1 :], number + 1):
        if step[1:3] == site[:2] and step.what not in _NO_DEED:
            break
        if step.what not in _NO_DEED and step.process != "--" and step[1:3] != site[:2]:
            others.append(f"{_who(run, step.process, step.fiber)}'s {_deed(seen, other)}")
    if not others:
        return None
    whose = f"{_who(run, site.process, site.fiber)} was {how} {site.operation}{_at(seen, number)}"
    return f"while {whose} came {', '.join(_last(others))}"


def _went_on(seen: Seen, number: int, site: Site, title: str) -> str:
    """Name what a fiber did when it was told that something had gone wrong."""
    run, _ = seen
    mine = [
        _deed(seen, each)
        for each, step in enumerate(run.trace.steps)
        if each > number and _is_deed(step, site) and step.what != site.operation
    ]
    came = f"came {', '.join(list(dict.fromkeys(mine))[:_MOST])}" if mine else f"{site.fiber} did nothing more"
    return f"after {title} at {site.operation}{_at(seen, number)} {came}"


def _who(run: Run, process: str, fiber: str) -> str:
    """Name a fiber; with its process where another process has one of the same name."""
    is_unique = all(step.process == process for step in run.trace.steps if step.fiber == fiber)
    return fiber if is_unique else f"{process}/{fiber}"


def _last(deeds: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(deeds[-_MOST:]))


def _is_deed(step: Step, site: Site) -> bool:
    return step[1:3] == site[:2] and step.what not in _NO_DEED


def _kind(seen: Seen, number: int) -> str | None:
    sight = seen[1].sights.get(number)
    return None if sight is None else sight.kind


def _at(seen: Seen, number: int) -> str:
    sight = seen[1].sights.get(number)
    return "" if sight is None or sight.line is None else f" ({line_of(sight.line)})"


def _deed(seen: Seen, number: int) -> str:
    """Name a step and its line; a commit goes by the message that it is for, too."""
    step, sight = seen[0].trace.steps[number], seen[1].sights.get(number)
    if step.what == "Transaction.commit" and sight is not None and sight.message is not None:
        name, place = sight.message
        return f"{step.what} of {name}{f' ({line_of(place)})' if line_of(place) else ''}"
    return f"{step.what}{_at(seen, number)}"
