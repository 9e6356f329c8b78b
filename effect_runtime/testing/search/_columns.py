"""A run's trace in columns: when, where, what, what came of it, and on which line; deviations marked.

Shows what lies near a deviation, before the end, and what changed something; a stretch that repeats is shown once.
Knows nothing of searches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from effect_runtime.testing.loop._trace import Step
from effect_runtime.testing.search._rounds import Entry, Rounds, Row, folded
from effect_runtime.testing.search._words import asked_and_answered, changed, line_of
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._witness import Sight, Witness

_AROUND: Final = 12
"""Steps shown on each side of a deviation, and before the end, of a long run."""

_CHANGES: Final = 24
"""Steps of a long run that changed something, and are shown wherever they stand; of more, none."""

_UNTOLD: Final = frozenset({"begin", "CRASH"})
"""Steps that say nothing to people: whose turn it is, and the death of a process that a deviation has named."""

_COLUMN: Final = 28
_TEXT: Final = 60

_MEANING: Final = {
    "switch": "others go first",
    "late": "it comes after others",
    "twice": "it comes once more",
    "lost": "it does not arrive, and comes again",
    "conflict": "another unit was first, and nothing of this one is written",
    "no verdict": "it failed, and nobody is told",
    "no verdict after it was done": "it is done, and nobody is told",
    "the disk fails": "no COMMIT succeeds for a while",
    "cancelled": "the host cancels the client",
    "ack lost": "who sent it goes on, and the broker delivers again",
    "crash of all processes before": "the power is lost",
    "crash 3 times after": "each life dies as soon as it has booted",
    "crash and upgrade before": "the process comes back as its next version",
    "unreadable bytes first": "a stranger's message stands in its line",
    "an unknown event first": "a stranger's message stands in its line",
}
"""What alternatives mean, where their names do not say it."""


def columns(run: Run, witness: Witness | None = None, *, is_needed: bool = True) -> list[str]:
    """Return the trace of a run in columns. `is_needed`: without any of the deviations the failure is gone."""
    rows = list(_told(run))
    place = max((len(place_of(row.step)) for row in rows), default=0)
    what = min(_COLUMN, max((len(row.step.what) for row in rows if row.site is None), default=0))
    sights = {} if witness is None else witness.sights
    changes = {} if witness is None else witness.changes
    rows = _as_far_as_it_failed(run, rows)
    entries = folded(rows)
    told = {
        entry.number: _text(entry, changed(changes.get(entry.number, ())))
        for entry in entries
        if isinstance(entry, Row)
    }
    shown = _near(entries, set(changes))
    plain = (entry for entry in shown if isinstance(entry, Row) and entry.site is None)
    wide = min(_TEXT, max((len(told[row.number]) for row in plain), default=0))
    clock = max((len(_moment(entry.step)) for entry in shown if isinstance(entry, Row)), default=0)
    lines, skipped = [], 0
    for entry in shown:
        if entry is None:
            skipped += 1
            continue
        if skipped:
            lines.append(f"  ... {skipped} step{'s' if skipped > 1 else ''}")
            skipped = 0
        if isinstance(entry, Rounds):
            lines.append(str(entry))
            continue
        sight = sights.get(entry.number)
        if entry.site is None:
            lines.append(_line(entry.step, clock, place, what, told[entry.number], wide, sight))
        else:
            lines.append(_deviation(run, entry, clock, place, sight, is_needed=is_needed))
        lines.extend(f"      {words}" for words in _evidence(run, entry.step))
    return lines


def _as_far_as_it_failed(run: Run, rows: list[Row]) -> list[Row]:
    """Leave out what came after a claim failed that must always hold: nothing of it belongs to the failure."""
    kind, _, name = (run.failure or "").rstrip(")").partition("(")
    if kind != "always":
        return rows
    failed = next((at for at, row in enumerate(rows) if row.step.what == f"{name} does not hold"), len(rows))
    last = max((at for at, row in enumerate(rows) if row.site is not None), default=0)
    return rows[: max(failed, last) + 1]


def place_of(step: Step) -> str:
    """Return where a step happened: process and fiber."""
    return "--" if step.process == "--" else f"{step.process}/{step.fiber}"


def _told(run: Run) -> Iterator[Row]:
    """Yield what people are told: a crash after something when it comes, not when it was decided."""
    dying: dict[str, Row] = {}
    for number, step in enumerate(run.trace.steps):
        site = run.trace.deviations.get(number)
        if site is not None and step.what.startswith("crash after"):
            dying[step.process] = Row(number, step, site)
        elif step.what == "CRASH" and step.process in dying:
            decided = dying.pop(step.process)
            yield Row(decided.number, decided.step._replace(at=step.at), decided.site)
        elif site is not None or step.what not in _UNTOLD:
            yield Row(number, step, site)


def _near(entries: Sequence[Entry], changes: set[int]) -> list[Entry | None]:
    """Return what is shown, None in the place of each that is left out: what lies far from all that matters."""
    marks = [at for at, entry in enumerate(entries) if _is_mark(entry)]
    near = {each for mark in (*marks, len(entries) - 1) for each in range(mark - _AROUND, mark + _AROUND + 1)}
    telling = [at for at, entry in enumerate(entries) if isinstance(entry, Row) and entry.number in changes]
    if len(telling) <= _CHANGES:
        near.update(telling)
    return [entry if at in near else None for at, entry in enumerate(entries)]


def _is_mark(entry: Entry) -> bool:
    return isinstance(entry, Row) and (entry.site is not None or entry.step.process == "--")


def _text(row: Row, changes: str) -> str:
    """Show what a step was given and gave; for one that changed something, what."""
    return changes or asked_and_answered(row.step.values)


def _moment(step: Step) -> str:
    return f"t={step.at:.3f}"


def _line(step: Step, clock: int, place: int, what: int, text: str, wide: int, sight: Sight | None) -> str:
    line = "" if sight is None or sight.line is None else line_of(sight.line)
    return f"  {_moment(step):{clock}} {place_of(step):{place}}  {step.what:{what}}  {text:{wide}}  {line}".rstrip()


def _deviation(run: Run, row: Row, clock: int, place: int, sight: Sight | None, *, is_needed: bool) -> str:
    title = row.step.what
    if title.startswith("crash"):
        title = title.replace("crash", "CRASH", 1).replace(" at ", " ", 1)
    line = "" if sight is None or sight.line is None else f" ({line_of(sight.line)})"
    what = row.step.what.partition(" at ")[0]
    meaning = _MEANING.get(what, "it is done at once" if what.startswith("answer ") else None)
    meaning = "" if meaning is None else f": {meaning}"
    gone = "the run passes" if len(run.plan) == 1 else "this failure is gone"
    arrow = f"    <- remove this and {gone}" if is_needed else ""
    return f"> {_moment(row.step):{clock}} {place_of(row.step):{place}}  {title}{line}{meaning}{arrow}"


def _evidence(run: Run, step: Step) -> Iterator[str]:
    """Yield what a claim said when it did not hold."""
    name, failed, _ = step.what.partition(" does not hold")
    if step.process == "--" and failed:
        yield from islice(run.said.get(name, ()), 20)
