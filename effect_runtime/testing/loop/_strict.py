"""What a run must not touch: the machine's clocks and chance, threads, files, sockets, subprocesses.

Each is refused on the line that reaches for it, by names that are exchanged while a run lasts and by an audit hook;
`_watch` sees those who took a name before. What was refused is remembered: a program that catches everything must not
pass for one that was simulated.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from attrs import frozen

from effect_runtime.errors import LeftSimulation
from effect_runtime.testing.loop._places import place_of

_CLOCK: Final = "Take the time from the clock that a transaction gives: tx.clock."
_CHANCE: Final = "Take chance from what a transaction gives, tx.random, or from a Random with a seed."
_IDS: Final = "Take ids from what a transaction gives: tx.ids."
_SETS: Final = "Await them in a task group or with asyncio.gather, which keep their order."
_ALONE: Final = (
    "Nobody else runs in a simulation: wait with what anyio offers, and let a stub stand for what needs threads."
)
_OUTSIDE: Final = "Let a stub or a party stand for what is outside."
_KEPT: Final = "Keep it in the store or with a party: this outlives the crash, the run and the search."
_MACHINE: Final = "Give it to the application as a value: it is another one in each process."


@frozen(eq=False)
class Leak:
    """Names under which something real is found, and what to use in its place.

    `given`: harmless when called with that many arguments, the last of them not None. `allowed`: modules that may.
    """

    owner: Any
    title: str
    names: tuple[str, ...]
    way_out: str
    given: int | None = None
    allowed: tuple[str, ...] = ()

    def named(self, name: str) -> str:
        """Return what people call it."""
        return self.title if name.startswith("_") else f"{self.title}.{name}"

    @property
    def present(self) -> Iterator[tuple[str, Any]]:
        """Yield those that this Python has on this machine, by name."""
        for name in self.names:
            if hasattr(self.owner, name):
                yield name, getattr(self.owner, name)


_TIMES: Final = tuple(
    f"{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
)
_DRAWN: Final = tuple(
    name for name, drawing in vars(random).items() if isinstance(getattr(drawing, "__self__", None), random.Random)
)

LEAKS: Final = (
    Leak(time, "time", (*_TIMES, "sleep"), _CLOCK),
    Leak(time, "time", ("localtime", "gmtime", "ctime", "asctime"), _CLOCK, given=1),
    Leak(time, "time", ("strftime",), _CLOCK, given=2),
    Leak(random, "random", _DRAWN, _CHANCE),
    Leak(random, "random.SystemRandom", ("_urandom",), _CHANCE),  # and all of `secrets`, under whatever name
    Leak(secrets, "secrets", ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"), _CHANCE),
    Leak(random.Random, "random.Random", ("seed",), _CHANCE, given=2),
    Leak(uuid, "uuid", ("uuid1", "uuid4"), _IDS),
    Leak(os, "os", ("urandom", "getrandom"), _CHANCE),
    Leak(os, "os", ("getpid", "getppid", "times"), _MACHINE, allowed=("effect_runtime.outbox.sqlite",)),
    Leak(asyncio, "asyncio", ("wait", "as_completed"), _SETS),  # both keep sets, ordered by address
    Leak(asyncio, "asyncio", ("all_tasks",), _SETS, allowed=("anyio",)),
    Leak(asyncio, "asyncio", ("to_thread",), _ALONE),
    Leak(threading.Thread, "threading.Thread", ("start",), _ALONE),
    Leak(threading.Condition, "threading.Condition", ("wait",), _ALONE),  # under events and queues, too
    Leak(_thread, "_thread", ("start_new_thread",), _ALONE),
)
"""What is exchanged while a run lasts. A class's attribute is found under whatever name the class was imported."""

_AUDITED: Final = {
    "socket.": _OUTSIDE,
    "subprocess.": _OUTSIDE,
    "urllib.Request": _OUTSIDE,
    "os.fork": _OUTSIDE,
    "os.exec": _OUTSIDE,
    "os.spawn": _OUTSIDE,
    "os.posix_spawn": _OUTSIDE,
    "os.system": _OUTSIDE,
    "builtins.input": _OUTSIDE,
    "os.putenv": _KEPT,
    "os.unsetenv": _KEPT,
    "os.remove": _KEPT,
    "os.rename": _KEPT,
    "os.truncate": _KEPT,
    "os.mkdir": _KEPT,
    "os.rmdir": _KEPT,
}
_BEGINNINGS: Final = tuple(_AUDITED)
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC

_TRUSTED: Final = frozenset({"logging", "importlib", "hypothesis", "coverage", "pydevd", "_pydevd_bundle"})
"""Packages that may, with all that they call: what logs, loads, draws, measures or debugs is read by no program."""

_RUNS: Final[list[list[LeftSimulation]]] = []
"""What was refused in the strict runs that are going on. Global because an audit hook can never be taken out again."""

_ENTERED: Final[list[FrameType]] = []
_SHUT: Final[list[None]] = []
_HOOKED: Final[list[None]] = []


@contextmanager
def inside_simulation() -> Iterator[None]:
    """Exchange the names of everything real while entered, in this whole process; who is `refusing` refuses them.

    Entered around many runs, they share what it costs. Entering again inside changes nothing.
    """
    if _SHUT:
        yield
        return
    if not _HOOKED:
        sys.addaudithook(_audit)
        _HOOKED.append(None)
    found = [(leak, name, real) for leak in LEAKS for name, real in leak.present]
    _SHUT.append(None)
    for leak, name, real in found:
        setattr(leak.owner, name, _exchanged(leak, name, real))
    try:
        yield
    finally:
        _SHUT.pop()
        for leak, name, real in found:
            setattr(leak.owner, name, real)


@contextmanager
def refusing() -> Iterator[None]:
    """Refuse everything real while entered: a run goes on, and shares its thread with nobody.

    Raises what was refused first, if anything was: whatever the program made of it, this was no simulation.
    """
    refused: list[LeftSimulation] = []
    _RUNS.append(refused)
    _ENTERED.append(sys._getframe(2))  # beyond this and `contextlib` is who tests
    try:
        yield
    except Exception as error:
        if not refused or error is refused[0]:
            raise
    finally:
        _RUNS.pop()
        _ENTERED.pop()
    if refused:
        raise refused[0]


def refusal(name: str, way_out: str = _OUTSIDE, *, frame: FrameType | None = None) -> LeftSimulation:
    """Return the error for something real that was reached for, and remember it for the run that goes on."""
    error = LeftSimulation(name, place=place_of(frame or sys._getframe(1)), way_out=way_out)
    if _RUNS:
        _RUNS[-1].append(error)
    return error


def loop_refusal(name: str) -> LeftSimulation:
    """Return the error for something that a simulated event loop does not do."""
    is_thread = name in ("run_in_executor", "call_soon_threadsafe")
    return refusal(f"the event loop's {name}", _ALONE if is_thread else _OUTSIDE, frame=sys._getframe(1))


def is_allowed(frame: FrameType | None, modules: tuple[str, ...] = ()) -> bool:
    """Tell whether who reaches for something may: one of `modules`, or whatever runs under one that is trusted."""
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    if frame is not None and str(frame.f_globals.get("__name__")).startswith(modules or ("-",)):
        return True
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in _TRUSTED:
            return True
        if package == "effect_runtime" or frame in _ENTERED:
            return False
        frame = frame.f_back
    return False


def _exchanged(leak: Leak, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        is_given = leak.given is not None and (kwargs or (len(args) >= leak.given and args[leak.given - 1] is not None))
        if not _RUNS or is_given or is_allowed(sys._getframe(1), leak.allowed):
            return real(*args, **kwargs)
        raise refusal(leak.named(name), leak.way_out, frame=sys._getframe(1))

    return refuse


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _RUNS:
        return
    if event == "open":
        path, _, flags = args
        if flags & _WRITES and not isinstance(path, int) and path != os.devnull:
            _refuse_audited("open for writing", _KEPT, sys._getframe(1))
    elif event == "sqlite3.connect":
        if args[0] not in (":memory:", ""):
            _refuse_audited(event, _KEPT, sys._getframe(1))
    elif event.startswith(_BEGINNINGS):
        way_out = next(_AUDITED[beginning] for beginning in _BEGINNINGS if event.startswith(beginning))
        _refuse_audited(event, way_out, sys._getframe(1))


def _refuse_audited(event: str, way_out: str, frame: FrameType) -> None:
    if not is_allowed(frame):
        raise refusal(event, way_out, frame=frame)
