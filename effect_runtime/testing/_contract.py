"""What contracts allow to go wrong, and what a world must declare: all else would be a false alarm, or prove nothing.

Read once, before the first run. Knows descriptions; nothing that runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Never, NoReturn, Union, get_args, get_origin, get_type_hints

from returns.result import Result
from typing_extensions import TypeAliasType

from effect_runtime.dispatch import Binding
from effect_runtime.effect import Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.integration import Features
from effect_runtime.testing._faults import Fails, Faults


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


def check_faults(faults: Faults, bindings: Sequence[Binding], wire: Features) -> None:
    """Refuse what no contract allows: the wire's own features, and what each operation declares to fail with."""
    if faults.messages and not wire.redelivers and any(binding.context.subscriptions for binding in bindings):
        raise NotSimulated(
            "messages that come twice or late",
            reason="the wire inside one process promises neither; give each context a process of its own, "
            "or leave messages=True out",
        )
    for delay in faults.slow:
        if delay.total_seconds() <= 0:
            raise NotSimulated(f"an operation that is slow by {delay}", reason="time passes forwards; give more than 0")
    for fails in faults.fails:
        _check_failure(fails)


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
