"""What a failing run looks like to people: its trace in columns, the deviations marked, and what they came between.

Knows how to write, nothing of how the run was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from effect_runtime.effect import Died, Failed, Succeeded
from effect_runtime.errors import Counterexample
from effect_runtime.integration import Envelope
from effect_runtime.outbox import Claimed
from effect_runtime.testing._blob import Blob
from effect_runtime.testing._minimal import Failing
from effect_runtime.testing._site import Canonical, Site
from effect_runtime.testing._trace import Step
from effect_runtime.testing._world import Run

_WIDE: Final = 60
"""Signs of one value that are shown."""

_AROUND: Final = 12
"""Steps shown on each side of a deviation, and before the end, of a long run."""

_UNTOLD: Final = frozenset({"begin", "CRASH"})
"""Steps that say nothing to people: whose turn it is, and the death of a process that a deviation has named."""

_COLUMN: Final = 28


def counterexample(failing: Failing, *, covered: str) -> Counterexample:
    """Return the error that reports a failing run."""
    run = failing.run
    return Counterexample(
        run.failure or "",
        deviations=[f"{titles[run.plan[site]]} at {site}" for site, titles in run.asked if site in run.plan],
        least=failing.least,
        trace=lines_of(run),
        hint=_hint(failing),
        covered=covered,
        blob=str(blob_of(failing)),
    )


def blob_of(failing: Failing) -> Blob:
    """Return what repeats a failing run."""
    run = failing.run
    return Blob(
        digest=digest_of(failing),
        order=failing.order,
        on_crash=failing.on_crash,
        programs=tuple(failing.selection),
        deviations=tuple((site, titles[run.plan[site]]) for site, titles in run.asked if site in run.plan),
    )


def digest_of(failing: Failing) -> str:
    """Return what tells whether a program has changed: the boring run's own digest."""
    return failing.simulation.run(Canonical(), order=failing.order).trace.hash[:12]


def lines_of(run: Run) -> list[str]:
    """Return the trace of a run in columns, deviations marked, without what lies far from all of them."""
    steps = list(_told(run))
    marks = [number for number, (step, is_mark) in enumerate(steps) if is_mark or step.process == "--"]
    near = [*marks, len(steps) - 1]
    place = max((len(_place(step)) for step, _ in steps), default=0)
    what = min(_COLUMN, max((len(step.what) for step, is_mark in steps if not is_mark), default=0))
    lines, skipped = [], 0
    for number, (step, is_mark) in enumerate(steps):
        if all(abs(number - mark) > _AROUND for mark in near):
            skipped += 1
            continue
        if skipped:
            lines.append(f"  ... {skipped} steps")
            skipped = 0
        lines.append(_line(step, place, what, is_deviation=is_mark, is_only=len(run.plan) == 1))
    return [*lines, *_end(run)]


def _told(run: Run) -> Iterator[tuple[Step, bool]]:
    """Yield what people are told, and whether it is a deviation: a crash after something is told when it comes."""
    dying: dict[str, Step] = {}
    for number, step in enumerate(run.trace.steps):
        is_deviation = number in run.trace.deviations
        if is_deviation and step.what.startswith("crash after"):
            dying[step.process] = step
        elif step.what == "CRASH" and step.process in dying:
            yield dying.pop(step.process)._replace(at=step.at), True
        elif step.what not in _UNTOLD:
            yield step, is_deviation


def _line(step: Step, place: int, what: int, *, is_deviation: bool, is_only: bool) -> str:
    mark, text = " ", f"{step.what:{what}}  {_values(step.values)}"
    if is_deviation:
        title = step.what.replace("crash", "CRASH").replace(" at ", " ") if step.what.startswith("crash") else step.what
        mark, text = ">", f"{title}    <- remove this and {'the run passes' if is_only else 'this failure is gone'}"
    return f"{mark} t={step.at:.3f} {_place(step):{place}}  {text}".rstrip()


def _place(step: Step) -> str:
    return "--" if step.process == "--" else f"{step.process}/{step.fiber}"


def _values(values: Sequence[Any]) -> str:
    """Show what was asked for, then what came of it."""
    if not values:
        return ""
    *asked, answer = (_shown(value) for value in values)
    arrow = "" if answer in ("None", "()") else f"-> {answer}" if asked else answer
    return f"{', '.join(asked)} {arrow}".strip()


def _shown(value: Any) -> str:
    match value:
        case Envelope():
            shown = f"{value.type} {value.data.decode(errors='replace')}"
        case Claimed():
            shown = ", ".join(_shown(envelope) for envelope in value.envelopes)
        case tuple():
            shown = f"({', '.join(_shown(each) for each in value)})" if value else "()"
        case Succeeded():
            shown = "succeeded" if value.value is None else f"succeeded with {_shown(value.value)}"
        case Failed():
            shown = f"failed with {_shown(value.error)}"
        case Died():
            shown = f"died of {value.exception!r}"
        case _:
            shown = repr(value)
    return shown if len(shown) <= _WIDE else f"{shown[: _WIDE - 3]}..."


def _end(run: Run) -> Iterator[str]:
    """Say what the last step does not: who still waits, what nobody caught, which answers nothing explains."""
    last: dict[str, Step] = {}
    for step in run.trace.steps:
        last[_place(step)] = step
    if run.ending != "done":
        verb = "waits for ever" if run.ending == "quiet" else "goes on for ever"
        for place, step in last.items():
            if place.partition("/")[2] in run.exits:
                yield f"  {place} {verb} after {step.what}" if step.what != "end" else f"  {place} has ended"
    for trouble in run.troubles:
        yield f"  nobody caught {trouble!r}"
    if run.unexplained:
        yield "  no order of these explains every answer:"
        yield from (f"    {spoken}" for spoken in run.unexplained)


def _hint(failing: Failing) -> str | None:
    """Say what a single deviation came between, if it came between anything."""
    run = failing.run
    if len(run.trace.deviations) != 1:
        return None
    (number, site), *_ = run.trace.deviations.items()
    title = next(titles[run.plan[site]] for asked, titles in run.asked if asked == site)
    if title.startswith("crash"):
        return _torn(failing, site, after=title.endswith("after"))
    return _between(run, number, site) if title == "switch" else None


def _torn(failing: Failing, site: Site, *, after: bool) -> str | None:
    """Name what a crash came between: the last that took effect, and what the boring run does next."""
    boring = failing.simulation.run(Canonical(), order=failing.order).trace.steps
    mine = [step for step in boring if step[1:3] == site[:2] and step.what not in ("begin", "end")]
    met = [number for number, step in enumerate(mine) if step.what == site.operation]
    if len(met) < site.nth:
        return None
    here = met[site.nth - 1] + after
    if not 0 < here < len(mine):
        return None
    return f"{mine[here - 1].what} precedes {mine[here].what}; the first was done, the second was not"


def _between(run: Run, number: int, site: Site) -> str | None:
    """Name what others did while a fiber was put off."""
    others: list[str] = []
    for step in run.trace.steps[number + 1 :]:
        if step[1:3] == site[:2]:
            break
        if step.what not in ("begin", "end") and step.process != "--":
            others.append(f"{step.fiber}'s {step.what}")
    if not others:
        return None
    shown = ", ".join(dict.fromkeys(others[-3:]))
    return f"while {site.fiber} was put off before {site.operation} came {shown}"
