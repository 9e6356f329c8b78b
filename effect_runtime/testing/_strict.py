"""What a run must not touch: the machine's clocks and chance, threads, sockets, subprocesses.

Each is refused on the line that reaches for it. Names that a module had taken before (`from time import monotonic`)
and `datetime.now` cannot be caught; two runs with different hashes tell of those.
"""

from __future__ import annotations

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
from typing import Any, Final

from effect_runtime.errors import LeftSimulation

_MODULES: Final[tuple[tuple[Any, str, tuple[str, ...]], ...]] = (
    (time, "time", ("time", "time_ns", "monotonic", "monotonic_ns", "sleep")),
    (random, "random", ("random", "randint", "randrange", "choice", "choices", "shuffle", "sample", "uniform")),
    (uuid, "uuid", ("uuid1", "uuid4")),
    (os, "os", ("urandom",)),
    (secrets, "secrets", ("token_bytes", "token_hex", "token_urlsafe")),
    (asyncio, "asyncio", ("wait", "as_completed", "to_thread")),  # the first two keep sets, ordered by address
    (threading.Thread, "threading.Thread", ("start",)),
)

_AUDITED: Final = ("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system", "urllib.Request")

_TRUSTED: Final = frozenset({"logging"})
"""Modules that may look at the real clock: a log record says when it was written, and no program reads it."""

_RUNS: Final[list[None]] = []
"""One entry for each strict run that is going on. Global because an audit hook can never be taken out again."""

_HOOKED: Final[list[None]] = []


@contextmanager
def inside_simulation() -> Iterator[None]:
    """Refuse everything real while entered, in this whole process: a run shares its thread with nobody."""
    if not _HOOKED:
        sys.addaudithook(_audit)
        _HOOKED.append(None)
    found = [(owner, name, getattr(owner, name)) for owner, _, names in _MODULES for name in names]
    for owner, title, names in _MODULES:
        for name in names:
            setattr(owner, name, _refused(f"{title}.{name}", getattr(owner, name)))
    _RUNS.append(None)
    try:
        yield
    finally:
        _RUNS.pop()
        for owner, name, real in found:
            setattr(owner, name, real)


def _refused(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__") in _TRUSTED:
            return real(*args, **kwargs)
        raise LeftSimulation(name)

    return refuse


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _RUNS and event.startswith(_AUDITED):
        raise LeftSimulation(event)
