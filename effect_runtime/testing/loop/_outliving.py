"""What of a program outlives a run although no store keeps it: what modules, classes, functions and closures hold.

A crash would clear it, and here it does not. Looked for when two runs of one plan have differed, and only then.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from random import Random
from reprlib import Repr
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from effect_runtime.dispatch import Binding
from effect_runtime.testing.loop._places import is_foreign

Held: TypeAlias = dict[str, str]
"""What was found under each name, as text."""

_DEPTH: Final = 3
_BRIEF: Final = Repr()
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN: Final = (int, float, complex, str, bytes, bytearray, tuple, type(None))
_MANY: Final = (list, set, frozenset, dict, deque)


def held(bindings: Sequence[Binding]) -> Held:
    """Return what everything that belongs to some contexts holds now: compare it with a later moment."""
    found: Held = {}
    functions = list(_functions(bindings))
    for function in functions:
        _note_function(found, f"{function.__module__}.{function.__qualname__}", function)
    for module in _modules({function.__module__ for function in functions}, bindings):
        for name, value in list(vars(module).items()):
            if not name.startswith("__"):
                _note(found, f"{module.__name__}.{name}", value, module.__name__)
    return found


def changed(before: Held, after: Held) -> tuple[str, ...]:
    """Return the names of what is another than before."""
    return tuple(name for name, shown in after.items() if before.get(name) != shown)


def _functions(bindings: Sequence[Binding]) -> Iterator[FunctionType]:
    for binding in bindings:
        context = binding.context
        listed = (*context.commands, *context.queries, *context.handlers, *context.after_commits)
        heard = [handler for subscription in context.subscriptions for handler in subscription.handlers]
        for each in (*listed, *heard):
            yield from _plain(getattr(each, "function", None))
        for made in (binding.make, binding.make_reads):
            yield from _plain(made)


def _plain(function: Callable[..., Any] | None) -> Iterator[FunctionType]:
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    if isinstance(function, FunctionType):
        yield function


def _modules(names: set[str], bindings: Sequence[Binding]) -> Iterator[ModuleType]:
    """Yield the user's modules: those of the contexts, and their neighbours in the same packages."""
    names |= {name for binding in bindings for name in (*binding.context.modules, binding.context.home)}
    packages = tuple(f"{name.rpartition('.')[0]}." for name in names if "." in name)
    for name, module in list(sys.modules.items()):
        if name in names or (packages and name.startswith(packages)):
            file = getattr(module, "__file__", None)
            if file is not None and not is_foreign(file):
                yield module


def _note(found: Held, name: str, value: Any, module: str) -> None:
    if isinstance(value, FunctionType) and value.__module__ == module:
        _note_function(found, name, value)
    elif isinstance(value, type) and value.__module__ == module:
        for key, inner in list(vars(value).items()):
            if not key.startswith("__"):
                (_note_function if callable(inner) else _keep)(found, f"{name}.{key}", inner)
    elif not isinstance(value, type | ModuleType):
        _keep(found, name, value)


def _note_function(found: Held, name: str, function: Any) -> None:
    """Note what a function keeps between two calls: its cache, its attributes, its defaults, its closure."""
    _keep(found, name, function)
    if not isinstance(function, FunctionType):
        return
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    for number, default in enumerate(defaults):
        _keep(found, f"{name}, default {number}", default)
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not yet filled
            _keep(found, f"{name}, {variable}", cell.cell_contents)


def _keep(found: Held, name: str, value: Any) -> None:
    shown = _shown(value, _DEPTH)
    if shown is not None:
        found[name] = shown


def _shown(value: Any, depth: int) -> str | None:
    """Return a value as text; None for what says nothing, or is ours."""
    if hasattr(type(value), "cache_info"):
        return str(value.cache_info())
    if type(value) in _PLAIN or type(value).__module__ == "itertools":
        return _BRIEF.repr(value)
    if isinstance(value, Random):
        return str(hash(value.getstate()))
    if isinstance(value, _MANY):
        return f"{len(value)} {_ADDRESS.sub('', _BRIEF.repr(value))}"
    if not depth or type(value).__module__.partition(".")[0] in ("effect_runtime", "builtins", "typing"):
        return None
    inner = {**getattr(value, "__dict__", {}), **_slots(value)}
    parts = {key: _shown(each, depth - 1) for key, each in inner.items()}
    return "; ".join(f"{key}: {part}" for key, part in parts.items() if part is not None) or None


def _slots(value: Any) -> Mapping[str, Any]:
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str)]
    return {name: getattr(value, name, None) for name in names if not name.startswith("__")}
