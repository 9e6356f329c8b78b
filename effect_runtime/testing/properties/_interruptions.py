"""Every crash and every failure that one command can meet, each in a run of its own.

Searches nothing: what is interrupted is one program, so all places are tried. Knows no plan with two deviations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from types import MappingProxyType
from typing import Any, Final, TypeAlias, final, get_args, get_origin

from attrs import frozen

from effect_runtime.app import App
from effect_runtime.dispatch import Forbidden, Invalid, NotDone, Signature
from effect_runtime.effect import Call, Died, Eff, Failed, Operation, Succeeded
from effect_runtime.errors import HalfDone, NotSimulated
from effect_runtime.interpreter import Host, Perform
from effect_runtime.testing.ground._faults import Fails, Faults
from effect_runtime.testing.ground._party import Party, held
from effect_runtime.testing.loop._sequencer import FIBER
from effect_runtime.testing.loop._site import Canonical, Planned, Site
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._failures import declared, sample
from effect_runtime.testing.properties._messages import Overrides, asked
from effect_runtime.testing.world._process import Client, OnCrash
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._simulation import Simulation
from effect_runtime.transports import InProcess

_CLIENT: Final = "client"
_OUTSIDE: Final = "outside, "

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
    """What was tried: how many places there were, and how many runs that took.

    `alike` crashes were left out: they leave the same behind as one that was tried.
    """

    places: int
    runs: int
    alike: int = 0


def assert_crash_safe(
    app: App, command: Eff[Any, Any, Any], *, given: Given = (), parties: Sequence[Party] = ()
) -> Interruptions:
    """Kill the process before and after everything that a command does; in each run, once.

    Asked again under its id after the restart, the command must end as if nothing had happened: the same exit, the
    same rows, events and dead letters in every store, and the same in whoever of `parties` stands outside, whom no
    crash touches. Given up, it must have been done wholly or not at all. Ids and moments may differ. `given` is done
    before, undisturbed, and without a word to `parties`. Raises `errors.HalfDone` with the difference, and
    `errors.NotSimulated` for a command that does not even succeed undisturbed.
    """
    swept = _Swept(app, command, given, Faults(crashes=True), parties)
    for on_crash in _MODES:
        for run, event in swept.deviations(on_crash):
            _expect_done(command, f"{event}, {_GIVING[on_crash]}", swept, run)
    return swept.tried


_MODES: Final[tuple[OnCrash, OnCrash]] = ("retry", "abandon")
_GIVING: Final[Mapping[OnCrash, str]] = MappingProxyType({"retry": "asked again", "abandon": "given up"})


def assert_failures_handled(
    app: App,
    command: Eff[Any, Any, Any],
    *,
    given: Given = (),
    parties: Sequence[Party] = (),
    overrides: Overrides | None = None,
) -> Interruptions:
    """Let every operation of a command fail, one in each run: in each way that it declares, and with a defect.

    An external operation may have been done before it fails. The command must succeed, fail as it declares, or die of
    that very defect; unless it succeeds, every store must be as before. `overrides` says what failures hold where that
    does not follow from their classes; `parties` are reset before each run, and may keep what was done. Raises
    `errors.HalfDone`, and `errors.NotSimulated` for a command that does not even succeed undisturbed.
    """
    failures = _failures(_performed(app, command, given, parties), Derivation(overrides=overrides or {}))
    swept = _Swept(app, command, given, Faults(fails=tuple(failures)), parties)
    for run, event in swept.deviations("retry", lambda site: site.fiber == _CLIENT):
        exit = run.exits[_CLIENT][0]
        problem = _unhandled(command, exit)
        if problem is not None:
            raise HalfDone(asked(command), event=event, problem=problem)
        if not isinstance(exit, Succeeded):
            _compare(command, event, swept.stored(), swept.untouched)
    return swept.tried


def _expect_done(command: Eff[Any, Any, Any], event: str, swept: _Swept, run: Run) -> None:
    """Refuse what a crash has left, unless the command was done once, or was given up and not begun."""
    if not run.is_sound:
        problem = f"the system ended {run.ending}, {run.failure}, with {list(run.troubles)!r}"
        raise HalfDone(asked(command), event=event, problem=problem)
    exit, state = run.exits[_CLIENT][0], swept.state()
    if exit is not None and _shown(exit) != swept.exit:
        raise HalfDone(asked(command), event=event, problem=f"it ended with {_shown(exit)} instead of {swept.exit}")
    if exit is not None or state != swept.before:
        _compare(command, event, state, swept.after)


@final
class _Swept:
    """A command in a simulation that it shares with nobody. `before` and `after` are how all is left undisturbed."""

    def __init__(
        self, app: App, command: Eff[Any, Any, Any], given: Given, faults: Faults, parties: Sequence[Party]
    ) -> None:
        clients = [Client(_CLIENT, [command])]
        self._parties = parties
        self._simulation = Simulation(app, clients, given=given, parties=parties, faults=faults)
        self._simulation.among([]).run(Canonical())
        self.before, self.untouched = self.state(), self.stored()
        self._first = self._simulation.run(Canonical())
        self.after = self.state()
        self.exit = _shown(self._succeeded())
        self._places: set[Site] = set()
        self._runs = 0
        self._alike = 0

    @property
    def tried(self) -> Interruptions:
        """Return what was tried so far."""
        return Interruptions(len(self._places), self._runs, self._alike)

    def state(self) -> list[str]:
        """Return what the stores and the parties hold now, a line for each row, without what may differ."""
        told = ((type(party).__name__, name, each) for party in self._parties for name, each in held(party))
        return [*self.stored(), *(f"{_OUTSIDE}{whose}.{name}: {_shown(each)}" for whose, name, each in told)]

    def stored(self) -> list[str]:
        """Return what the stores hold now."""
        return sorted(
            f"{name}: {_shown(row)}"
            for content in self._simulation.contents()
            for name, rows in content.items()
            for row in rows
        )

    def deviations(self, on_crash: OnCrash, concerns: Callable[[Site], bool] = bool) -> Iterator[tuple[Run, str]]:
        """Run once for each thing that can go wrong at a place, and tell what did."""
        world = self._simulation.among(self._simulation.clients, on_crash=on_crash)
        met: set[Hashable] = set()
        with world.shut_in():
            for site, alternatives in self._first.asked:
                if site.kind != "fault" or not concerns(site):
                    continue
                self._places.add(site)
                for index, title in enumerate(alternatives[1:], start=1):
                    if self._is_alike(site, title, on_crash, met):
                        self._alike += 1
                        continue
                    self._runs += 1
                    yield world.run(Planned({site: index})), _event(site, title)

    def _is_alike(self, site: Site, title: str, on_crash: OnCrash, met: set[Hashable]) -> bool:
        """Tell of a crash whether it leaves what another one left: a process that dies forgets all else."""
        before, after = self._first.remains.get(site, (None, None))
        left = {"crash before": before, "crash after": after}.get(title)
        if left is None:
            return False
        # Where no program is inside there is nobody who could give up instead of asking again.
        is_known = (site.process, left) in met or (on_crash == "abandon" and not left.is_used)
        met.add((site.process, left))
        return is_known

    def _succeeded(self) -> Succeeded[Any]:
        exits = self._first.exits[_CLIENT]
        exit = exits[0] if exits else None
        if self._first.is_sound and isinstance(exit, Succeeded):
            return exit
        troubles = [] if exit is None else [exit]
        reason = (
            f"undisturbed it ends {self._first.ending}, with {[*troubles, *self._first.troubles]!r}; let it succeed"
        )
        raise NotSimulated("the command", reason=reason)


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
        is_stored = any(not line[1:].startswith((_OUTSIDE, "@")) for line in difference[2:])
        problem = "the stores are not as they must be" if is_stored else "what is outside is not as it must be"
        raise HalfDone(asked(command), event=event, problem=problem, difference=difference)


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


def _failures(performed: Iterable[Operation], derivation: Derivation) -> Iterator[Fails]:
    """Yield what each operation that the command performs may fail with."""
    for operation in performed:
        method = getattr(type(operation.service), operation.name, None)
        if method is None or operation.kind == "dispatch":
            continue
        is_external = operation.kind == "external"
        errors = [sample(kind, derivation) for kind in declared(operation.function)]
        for error in (*errors, Interrupted()):
            yield Fails(method, error)
            if is_external:
                yield Fails(method, error, applied=True)


def _performed(app: App, command: Eff[Any, Any, Any], given: Given, parties: Sequence[Party]) -> Iterable[Operation]:
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
    _Swept(listened, command, given, Faults(), parties)
    return found.values()
