"""What a failing run looks like to people: its trace, how it ended for whom, and what its deviations came between.

The run is made once more with somebody looking on: only a report pays for lines and changes. Knows how to write,
nothing of how the run was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from effect_runtime.effect import Died
from effect_runtime.errors import Counterexample
from effect_runtime.testing.loop._site import Canonical, Plan, Planned
from effect_runtime.testing.loop._trace import Step
from effect_runtime.testing.search._blob import DIGITS, Blob
from effect_runtime.testing.search._columns import columns, place_of
from effect_runtime.testing.search._hints import Seen, hints_of
from effect_runtime.testing.search._minimal import Failing
from effect_runtime.testing.search._words import line_of
from effect_runtime.testing.world._history import drawn
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._witness import Witness, line_raised

_PARTY: Final = 400
"""Signs of one party that are shown."""


def counterexample(failing: Failing, *, covered: str) -> Counterexample:
    """Return the error that reports a failing run."""
    seen = _seen(failing, failing.run.plan)
    run, witness = seen if seen[0].failure == failing.run.failure else (failing.run, Witness())
    hints = hints_of((run, witness), lambda plan: _seen(failing, plan))
    trace = [*_order(failing), *columns(run, witness, is_needed=failing.is_needed), *_end(run, witness)]
    return Counterexample(
        run.failure or "",
        deviations=_departures(failing),
        least=failing.least,
        trace=trace,
        hint="\n  then: ".join(hints) or None,
        covered="\n  ".join((covered, *_setting(failing))),
        blob=str(blob_of(failing)),
    )


def _departures(failing: Failing) -> list[str]:
    """Return in words what differs from the boring run: deviations, and the order where it is another one."""
    run = failing.run
    found = [f"{titles[run.plan[site]]} at {site}" for site, titles in run.asked if site in run.plan]
    return found if failing.order == "run to block" else ["first come, first served", *found]


def _order(failing: Failing) -> list[str]:
    """Say that the order is another one than that of the boring run: a departure, although no site is to blame."""
    if failing.order == "run to block":
        return []
    return ["> first come, first served: at each boundary whoever is ready first goes on"]


def blob_of(failing: Failing) -> Blob:
    """Return what repeats a failing run."""
    run = failing.run
    return Blob(
        digest=digest_of(failing),
        run_digest=run.trace.deeds[:DIGITS],
        order=failing.order,
        on_crash=failing.on_crash,
        programs=tuple(failing.selection),
        deviations=tuple((site, titles[run.plan[site]]) for site, titles in run.asked if site in run.plan),
    )


def digest_of(failing: Failing) -> str:
    """Return what tells whether a program has changed: the boring run's own digest."""
    return failing.simulation.run(Canonical(), order=failing.order).trace.deeds[:DIGITS]


def lines_of(run: Run) -> list[str]:
    """Return the trace of a run in columns, deviations marked, without what lies far from all of them."""
    return [*columns(run, is_needed=False), *_end(run, Witness())]


def _seen(failing: Failing, plan: Plan) -> Seen:
    """Make a run of the failing world once more, with somebody looking on."""
    witness = Witness()
    return failing.simulation.run(Planned(plan), order=failing.order, witness=witness), witness


def _end(run: Run, witness: Witness) -> Iterator[str]:
    """Say what the last step does not: who still waits, what nobody caught, which answers nothing explains."""
    if run.ending != "done":
        yield from _unended(run, witness)
    for trouble in run.troubles:
        yield f"  nobody caught {trouble!r}{_raised(trouble)}"
    for step in run.trace.steps:
        if step.what == "end" and isinstance(step.values[-1], Died):
            yield f"  {place_of(step)} died of {step.values[-1].exception!r}{_raised(step.values[-1].exception)}"
    for party in witness.parties:
        yield f"  outside: {party if len(party) <= _PARTY else f'{party[: _PARTY - 3]}...'}"
    if run.unexplained:
        yield "  no order of these explains every answer (asked and answered from left to right):"
        yield from (f"    {line}" for line in drawn(run.unexplained))


def _unended(run: Run, witness: Witness) -> Iterator[str]:
    """Say of each client that has not come to an end what it did last, and where it stands."""
    last: dict[str, Step] = {}
    for step in run.trace.steps:
        last[place_of(step)] = step
    verb = "waits for ever" if run.ending == "quiet" else "goes on for ever"
    for place, step in last.items():
        process, _, fiber = place.partition("/")
        if fiber in run.exits:
            lines = " -> ".join(line_of(line) for line in witness.waiting.get((process, fiber), ()))
            at = f", at {lines}" if lines else ""
            yield f"  {place} {verb} after {step.what}{at}" if step.what != "end" else f"  {place} has ended"


def _raised(error: BaseException) -> str:
    place = line_raised(error.__traceback__)
    return "" if place is None else f", raised at {line_of(place)}"


def _setting(failing: Failing) -> Iterator[str]:
    """Say what a run needs beside its plan, where it is not what everybody expects."""
    count = sum(len(numbers) for _, numbers in failing.selection)
    if count < failing.among:
        needed = ", ".join(f"{name} {' '.join(map(str, numbers))}" for name, numbers in failing.selection if numbers)
        yield f"of {failing.among} programs {count} {'is' if count == 1 else 'are'} enough: {needed}"
    if failing.run.crashes:
        what = "begin again what a crash interrupts, under the same id"
        yield f"clients {what if failing.on_crash == 'retry' else 'give up what a crash interrupts'}"
