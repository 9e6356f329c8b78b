"""What contracts allow to go wrong, and what a world must declare: all else would be a false alarm, or prove nothing.

Read once, before the first run. Knows descriptions; nothing that runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import UnionType
from typing import Any, Never, NoReturn, Union, get_args, get_origin, get_type_hints

from attrs import evolve
from returns.result import Result
from typing_extensions import TypeAliasType

from effect_runtime.app import App
from effect_runtime.dispatch import Binding
from effect_runtime.effect import Call, Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.integration import Features
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing.ground._faults import Fails, Faults
from effect_runtime.testing.world._process import Client
from effect_runtime.testing.world._upgrade import check_upgrade


def check_world(bindings: Sequence[Binding], processes: Mapping[str, Sequence[str]], elsewhere: Iterable[str]) -> None:
    """Refuse a world without stores, and contexts that are nowhere, unknown, or heard of in hearsay only."""
    if not bindings:
        raise NotSimulated("an application without contexts", reason="it has no store; bind a context to one")
    known = {binding.name for binding in bindings}
    placed = [name for names in processes.values() for name in names]
    for name in (*placed, *elsewhere):
        if name not in known:
            reason = f"the application binds {', '.join(sorted(known))}; name one of these"
            raise NotSimulated(f"context {name!r}", reason=reason)
    for name in sorted(known.difference(placed)):
        raise NotSimulated(f"context {name!r}", reason="no process runs it; name it in processes={...}")


def placed(clients: Sequence[Client], processes: Mapping[str, Sequence[str]]) -> dict[str, list[Client]]:
    """Say which process each client uses; refuse those that no process could answer.

    They are told by name from then on: with some of its programs left out a client still uses the same one.
    """
    homes: dict[str, list[Client]] = {}
    for client in clients:
        asked = [context for program in client.programs if (context := _context_of(program)) is not None]
        home = client.process or _home(asked, processes)
        if home not in processes:
            reason = f"there are {', '.join(processes)}; name one of these"
            raise NotSimulated(f"client {client.name!r} in process {home!r}", reason=reason)
        for context in asked:
            if context not in processes[home]:
                reason = (
                    f"only {', '.join(processes[home])} run there; give the program to a client of its own, "
                    "or let one process run both contexts"
                )
                raise NotSimulated(
                    f"client {client.name!r}, who asks context {context!r} in process {home!r},", reason=reason
                )
        homes.setdefault(home, []).append(evolve(client, process=home))
    return homes


def _context_of(program: object) -> str | None:
    """Return the context of a single message; what a program of several asks cannot be told before it runs."""
    context = getattr(program.handler, "context", None) if isinstance(program, Call) else None
    return context if isinstance(context, str) else None


def _home(asked: Sequence[str], processes: Mapping[str, Sequence[str]]) -> str:
    first = asked[0] if asked else None
    return next((name for name, contexts in processes.items() if first in contexts), next(iter(processes)))


def check_faults(faults: Faults, app: App, wire: Features, *, processes: int, horizon: timedelta) -> None:
    """Refuse what no contract allows: of wires, stores, processes and time, and of what operations declare."""
    _check_wire(faults, app.bindings, wire)
    _check_stores(faults, app.bindings)
    _check_deaths(faults, processes)
    _check_time(faults, horizon)
    for fails in faults.fails:
        _check_failure(fails)
    if faults.upgrade is not None:
        check_upgrade(app, faults.upgrade)


def _check_wire(faults: Faults, bindings: Sequence[Binding], wire: Features) -> None:
    if wire.redelivers:
        return
    if faults.messages and any(binding.context.subscriptions for binding in bindings):
        raise NotSimulated(
            "messages that come twice or late",
            reason="the wire inside one process promises neither; give each context a process of its own, "
            "or leave messages=True out",
        )
    if faults.poison:
        raise NotSimulated(
            "strangers' messages",
            reason="nobody else can send on the wire inside one process; give each context a process of its own, "
            "or leave poison=True out",
        )


def _check_stores(faults: Faults, bindings: Sequence[Binding]) -> None:
    if all(isinstance(binding.store, MemoryStore) for binding in bindings):
        for name, is_allowed in (("commits", faults.commits), ("verdicts", faults.verdicts)):
            if is_allowed:
                reason = f"a MemoryStore has no disk; bind a context to a SqliteStore, or leave {name}=True out"
                raise NotSimulated("commits that fail", reason=reason)


def _check_deaths(faults: Faults, processes: int) -> None:
    if faults.power and processes == 1:
        reason = "there is one process, and its own crash is the same; give crashes=True"
        raise NotSimulated("a loss of power", reason=reason)
    if faults.storms and not faults.deaths:
        raise NotSimulated("a storm of crashes", reason="nobody ever boots again; give crashes=True, too")


def _check_time(faults: Faults, horizon: timedelta) -> None:
    told = (
        ("an operation that is slow by", faults.slow),
        ("an answer that is late by", faults.answers),
        ("a process that is paused for", faults.pauses),
    )
    for what, durations in told:
        for duration in durations:
            if duration <= timedelta(0):
                raise NotSimulated(f"{what} {duration}", reason="time passes forwards; give more than 0")
    for by in faults.clocks:
        if not by:
            raise NotSimulated("a clock that jumps by nothing", reason="it is right; give how far it is set")
        if abs(by) >= horizon:
            # What was written by a wrong clock comes due that much later: it would look as if it never did.
            reason = f"what it writes down comes due after the horizon of {horizon}; give a longer horizon="
            raise NotSimulated(f"a clock that jumps by {by}", reason=reason)


def _check_failure(fails: Fails) -> None:
    if isinstance(fails.failure, BaseException):
        return
    name = getattr(fails.method, "__qualname__", repr(fails.method))
    declared = _declared(fails.method)
    if declared is None or any(isinstance(fails.failure, kind) for kind in declared):
        return
    allowed = ", ".join(kind.__name__ for kind in declared) or "nothing"
    raise NotSimulated(
        f"{name} failing with {fails.failure!r}",
        reason=f"it declares {allowed}; add the failure to its annotation, or let it raise an exception",
    )


def _declared(method: Any) -> tuple[type, ...] | None:
    """Return what a method of a port or an adapter declares to fail with; None where that cannot be told."""
    try:
        answer = get_type_hints(inspect.unwrap(method)).get("return")
    except Exception:  # whatever evaluating a user's annotation raises: then nobody can tell
        return None
    origin = get_origin(answer) or answer
    if not isinstance(origin, type):
        return None
    stated = get_args(answer)
    if not issubclass(origin, Result | Eff):
        return ()
    return _members(stated[1]) if len(stated) > 1 else ()


def _members(failures: Any) -> tuple[type, ...] | None:
    """Return the classes in a union of failures; None where one of them is no class."""
    if isinstance(failures, TypeAliasType):
        return _members(failures.__value__)
    if failures is Never or failures is NoReturn:
        return ()
    if get_origin(failures) in (Union, UnionType):
        found = [_members(one) for one in get_args(failures)]
        return None if None in found else tuple(kind for kinds in found for kind in kinds or ())
    kind = get_origin(failures) or failures
    return (kind,) if isinstance(kind, type) else None
