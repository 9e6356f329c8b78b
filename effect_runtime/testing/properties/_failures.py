"""What operations may fail with: a sample of each failure that a port or an adapter declares.

Reads annotations; performs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, Never, NoReturn, get_args, get_origin, get_type_hints

import attrs
from hypothesis import find, settings
from returns.result import Result

from effect_runtime.effect import Eff, Operation
from effect_runtime.errors import NotSimulated
from effect_runtime.integration import is_union
from effect_runtime.testing.ground._faults import Fails
from effect_runtime.testing.properties._annotations import opened
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._messages import Overrides


def failures_of(*services: type[Any], overrides: Overrides | None = None) -> tuple[Fails, ...]:
    """Return every failure that the operations of some ports or adapters declare, for `Faults(fails=...)`.

    Each is a sample of its class, the simplest; `overrides` says what failures hold where that does not follow. An
    external operation of an adapter may also have been done before it fails: each of its failures comes twice, once
    `applied`. A port does not say what is external. Raises `errors.NotSimulated` for a class without operations and
    `errors.NoStrategy` for a failure that says too little.
    """
    derivation = Derivation(overrides=overrides or {})
    found: list[Fails] = []
    for service in services:
        methods = list(_methods(service))
        if not methods:
            reason = "it has no method that returns an effect; give a port, or an adapter with @operation"
            raise NotSimulated(f"failures of {service.__name__}", reason=reason)
        for method in methods:
            for failure in declared(method):
                sampled = Fails(method, sample(failure, derivation))
                found.extend([sampled, attrs.evolve(sampled, applied=True)] if _is_external(method) else [sampled])
    return tuple(found)


def declared(method: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the types that a method of a port or an adapter declares to fail with."""
    answer = _answer(method)
    if get_origin(answer) not in (Result, Eff):
        return ()
    return tuple(_members(get_args(answer)[1])) if len(get_args(answer)) > 1 else ()


def sample(kind: Any, derivation: Derivation) -> Any:
    """Return the simplest value of a type of failure."""
    strategy = derivation.record(kind) if attrs.has(get_origin(kind) or kind) else derivation.of(kind)
    return find(strategy, lambda _: True, settings=_ONCE)


_ONCE: Final = settings(database=None, derandomize=True)


def _methods(service: type[Any]) -> Iterator[Callable[..., Any]]:
    for name in dir(service):
        method = getattr(service, name)
        if not name.startswith("_") and inspect.isfunction(method) and (_is_operation(method) or _is_of_port(method)):
            yield method


def _is_operation(method: Callable[..., Any]) -> bool:
    """Tell whether `@operation` made a method: it is none, of a function that is a coroutine."""
    return not inspect.iscoroutinefunction(method) and inspect.iscoroutinefunction(inspect.unwrap(method))


def _is_of_port(method: Callable[..., Any]) -> bool:
    answer = _answer(method)
    return (get_origin(answer) or answer) is Eff


def _answer(method: Callable[..., Any]) -> Any:
    try:
        return opened(get_type_hints(inspect.unwrap(method)).get("return"))
    except Exception as error:  # whatever evaluating a user's annotation raises
        reason = f"its annotations say: {error}; import at run time what they name"
        raise NotSimulated(f"failures of {method.__qualname__}", reason=reason) from error


def _is_external(method: Callable[..., Any]) -> bool:
    if not _is_operation(method):
        return False
    # Built, never performed: an operation knows its kind, and takes any arguments.
    parameters = inspect.signature(method).parameters.values()
    named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    built = method(*(None for each in parameters if each.kind in _PLACED), **named)
    return isinstance(built, Operation) and built.kind == "external"


_PLACED: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _members(failures: Any) -> Iterator[Any]:
    failures = opened(failures)
    if is_union(failures):
        for each in get_args(failures):
            yield from _members(each)
    elif failures not in (Never, NoReturn):
        yield failures
