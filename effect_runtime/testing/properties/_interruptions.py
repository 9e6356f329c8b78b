"""Every crash and every failure that one command can meet, each in a run of its own.

Searches nothing: what is interrupted is one program, so all places are tried. Knows no plan with two deviations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from typing import Any, Final, TypeAlias, get_args, get_origin

from attrs import frozen

from effect_runtime.app import App
from effect_runtime.dispatch import Forbidden, Invalid, NotDone, Signature
from effect_runtime.effect import Call, Died, Eff, Failed, Operation, Succeeded
from effect_runtime.errors import HalfDone, NotSimulated
from effect_runtime.interpreter import Host, Perform
from effect_runtime.testing._faults import Fails, Faults
from effect_runtime.testing._process import Client, OnCrash
from effect_runtime.testing._sequencer import FIBER
from effect_runtime.testing._simulation import Simulation
from effect_runtime.testing._site import Canonical, Planned, Site
from effect_runtime.testing._world import Run
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._failures import declared, sample
from effect_runtime.testing.properties._messages import Overrides
from effect_runtime.transports import InProcess

_CLIENT: Final = "client"

Given: TypeAlias = Sequence[Eff[Any, Any, Any] | Client]
"""What is done before, undisturbed: by nobody in particular, or by a `Client` who is somebody."""

_UNLIKE: Final = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"datetime\.datetime\([^()]*(?:\([^()]*\))?[^()]*\)"), "<moment>"),
    (re.compile(r"20[2-9]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d\d:?\d\d)?"), "<moment>"),
    (re.compile(r"\b189\d{7}(?:\d{3}|\d{6})?(?:\.\d+)?\b"), "<moment>"),
)
"""What two runs may differ in although both are right: ids that were drawn, and moments."""


class Interrupted(Exception):
    """Be the defect that is put in the place of an operation."""


@frozen
class Interruptions:
    """What was tried: how many places there were, and how many runs that took."""

    places: int
    runs: int


def assert_crash_safe(app: App, command: Eff[Any, Any, Any], *, given: Given = ()) -> Interruptions:
    """Kill the process before and after everything that a command does; in each run, once.

    Asked again under its id after the restart, the command must end as if nothing had happened: the same exit, the
    same rows, events and dead letters in every store. Given up, it must have been done wholly or not at all. Ids and
    moments may differ. `given` is done before, undisturbed. Raises `errors.HalfDone` with the difference.
    """
    before = _Swept(app, (), given, Faults()).clean()
    both = [_crashes(app, command, given, on_crash, before) for on_crash in _MODES]
    return Interruptions(places=both[0].places, runs=sum(each.runs for each in both))


_MODES: Final[tuple[OnCrash, OnCrash]] = ("retry", "abandon")


def assert_failures_handled(
    app: App,
    command: Eff[Any, Any, Any],
    *,
    given: Given = (),
    overrides: Overrides | None = None,
) -> Interruptions:
    """Let every operation of a command fail, one in each run: in each way that it declares, and with a defect.

    An external operation may have been done before it fails. The command must succeed, fail as it declares, or die of
    that very defect; unless it succeeds, every store must be as before. `overrides` says what failures hold where that
    does not follow from their classes. Raises `errors.HalfDone`.
    """
    before = _Swept(app, (), given, Faults()).clean()
    faults = Faults(fails=tuple(_failures(app, command, given, Derivation(overrides=overrides or {}))))
    swept = _Swept(app, (command,), given, faults)
    swept.clean()
    for run, event in swept.deviations(lambda site: site.fiber == _CLIENT):
        exit = run.exits[_CLIENT][0]
        problem = _unhandled(command, exit)
        if problem is not None:
            raise HalfDone(repr(command), event=event, problem=problem)
        if not isinstance(exit, Succeeded):
            _compare(command, event, swept.state(), before)
    return swept.tried


def _crashes(
    app: App, command: Eff[Any, Any, Any], given: Given, on_crash: OnCrash, before: list[str]
) -> Interruptions:
    swept = _Swept(app, (command,), given, Faults(crashes=True), on_crash)
    after = swept.clean()
    expected = _shown(swept.first.exits[_CLIENT][0])
    for run, event in swept.deviations(lambda site: True):
        event = f"{event}, {'asked again' if on_crash == 'retry' else 'given up'}"
        if not run.is_sound:
            problem = f"the system ended {run.ending}, with {list(run.troubles)!r}"
            raise HalfDone(repr(command), event=event, problem=problem)
        exit, state = run.exits[_CLIENT][0], swept.state()
        if exit is not None and _shown(exit) != expected:
            problem = f"it ended with {_shown(exit)} instead of {expected}"
            raise HalfDone(repr(command), event=event, problem=problem)
        if exit is not None or state != before:
            _compare(command, event, state, after)
    return swept.tried


class _Swept:
    """One command, or none, in a simulation; `first` is its undisturbed run."""

    def __init__(
        self,
        app: App,
        programs: Sequence[Eff[Any, Any, Any]],
        given: Given,
        faults: Faults,
        on_crash: OnCrash = "retry",
    ) -> None:
        clients = [Client(_CLIENT, programs)] if programs else []
        self._simulation = Simulation(app, clients, given=given, faults=faults, on_crash=on_crash)
        self.first = self._simulation.run(Canonical())
        self._places = 0
        self._runs = 0

    @property
    def tried(self) -> Interruptions:
        """Return what was tried so far."""
        return Interruptions(self._places, self._runs)

    def clean(self) -> list[str]:
        """Return how the stores are left by an undisturbed run, which must end well."""
        if not self.first.is_sound:
            reason = f"undisturbed it ends {self.first.ending}, with {list(self.first.troubles)!r}"
            raise NotSimulated("the command", reason=reason)
        return self.state()

    def state(self) -> list[str]:
        """Return what the stores hold now, a line for each row, without what may differ."""
        return sorted(
            f"{name}: {_shown(row)}"
            for content in self._simulation.contents()
            for name, rows in content.items()
            for row in rows
        )

    def deviations(self, concerns: Any) -> Iterator[tuple[Run, str]]:
        """Run once for each thing that can go wrong at a place, and tell what did."""
        for site, alternatives in self.first.asked:
            if site.kind == "fault" and concerns(site):
                self._places += 1
                for index, title in enumerate(alternatives[1:], start=1):
                    self._runs += 1
                    yield self._simulation.run(Planned({site: index})), _event(site, title)


def _event(site: Site, title: str) -> str:
    return f"{title} at {site.operation} #{site.nth} of {site.process}"


def _shown(value: Any) -> str:
    text = repr(value)
    for pattern, word in _UNLIKE:
        text = pattern.sub(word, text)
    return text


def _compare(command: Eff[Any, Any, Any], event: str, state: list[str], expected: list[str]) -> None:
    if state != expected:
        difference = list(unified_diff(expected, state, "expected", "found", lineterm="", n=0))
        raise HalfDone(repr(command), event=event, problem="the stores are not as they must be", difference=difference)


def _unhandled(command: Eff[Any, Any, Any], exit: Any) -> str | None:
    match exit:
        case Succeeded():
            return None
        case Died(Interrupted()):
            return None
        case Failed(error) if isinstance(error, _declared(command)):
            return None
    return f"it ended with {exit!r}, which it does not declare"


def _declared(command: Eff[Any, Any, Any]) -> tuple[type, ...]:
    """Return what a command may fail with; a program made of several says nothing of that at run time."""
    if not isinstance(command, Call):
        return (object,)
    handler: Any = command.handler
    signature = handler.signature()
    failures = signature.failures if isinstance(signature, Signature) else None
    kinds = (get_origin(each) or each for each in (*(failures or ()), Invalid, Forbidden, *get_args(NotDone)))
    return tuple(kind for kind in kinds if isinstance(kind, type))


def _failures(app: App, command: Eff[Any, Any, Any], given: Given, derivation: Derivation) -> Iterator[Fails]:
    """Yield what each operation that the command performs may fail with."""
    for operation in _performed(app, command, given):
        method = getattr(type(operation.service), operation.name, None)
        if method is None or operation.kind == "dispatch":
            continue
        is_external = operation.kind == "external"
        errors = [sample(kind, derivation) for kind in declared(operation.function)]
        for error in (*errors, Interrupted()):
            yield Fails(method, error)
            if is_external:
                yield Fails(method, error, applied=True)


def _performed(app: App, command: Eff[Any, Any, Any], given: Given) -> Iterable[Operation]:
    """Return one operation of each method that a command performs, in the very world in which they will fail."""
    found: dict[Any, Operation] = {}

    def intercept(perform: Perform) -> Perform:
        async def seen(operation: Operation, runtime: Any) -> Any:
            if FIBER.get().name == _CLIENT:
                found.setdefault(operation.function, operation)
            return await perform(operation, runtime)

        return seen

    app.build()
    listened = app.moved(Host(), lambda binding: binding.store, wire=InProcess(), interceptors=[intercept])
    _Swept(listened, (command,), given, Faults()).clean()
    return found.values()
