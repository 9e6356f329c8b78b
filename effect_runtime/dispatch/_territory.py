"""Which modules belong to which context, and what follows for classes that are defined there.

Imports the modules that contexts name. Knows no handler's types.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, Final

from effect_runtime.dispatch._after_commit import AfterCommit
from effect_runtime.dispatch._context import Context
from effect_runtime.dispatch._handlers import DomainHandler
from effect_runtime.dispatch._signature import Signature, name_of
from effect_runtime.errors import Code, Fault

EXTRAS: Final = MappingProxyType(
    {
        "asyncpg": "postgres",
        "sqlalchemy": "sqlalchemy",
        "aio_pika": "rabbitmq",
        "nats": "nats",
        "redis": "redis",
        "aiokafka": "kafka",
        "azure": "servicebus",
        "opentelemetry": "telemetry",
        "hypothesis": "testing",
        "pytest": "testing",
    }
)
"""The extra of ours that brings each driver."""


def import_modules(context: Context[Any, Any]) -> tuple[Fault, ...]:
    """Import the modules that a context names, packages with all their modules; report what is wrong with them."""
    faults: list[Fault] = []
    for name in context.modules:
        faults.extend(_import(context, name))
    if not faults:
        faults.extend(_forgotten(context))
    return tuple(faults)


def owner_of(kind: Any, contexts: Sequence[Context[Any, Any]]) -> Context[Any, Any] | None:
    """Return the one context in whose modules a class is defined; None when there is none, or more than one."""
    module = getattr(kind, "__module__", None)
    if not isinstance(kind, type) or not isinstance(module, str):
        return None
    closeness = [(_closeness(context, module), context) for context in contexts]
    best = max((length for length, _ in closeness), default=0)
    nearest = [context for length, context in closeness if length == best]
    # Where two are equally near nobody owns it: a module that is shared must not make either of them a stranger.
    return nearest[0] if best and len(nearest) == 1 else None


def foreign_faults(contexts: Sequence[Context[Any, Any]]) -> Iterator[Fault]:
    """Find messages and domain events that a context takes from another one."""
    for context in contexts:
        for handler in (*context.commands, *context.queries):
            signature = handler.signature()
            if isinstance(signature, Signature):
                owner = owner_of(signature.message, contexts)
                if owner is not None and owner is not context:
                    yield Fault(
                        Code.ER111,
                        place=handler.place,
                        problem=f"{name_of(signature.message)} is defined in context {owner.name!r}.",
                        fix=f"Define a message of its own in {context.name!r}; contexts share contracts only.",
                    )
        hearing: Iterable[DomainHandler | AfterCommit] = (*context.handlers, *context.after_commits)
        for reaction in hearing:
            owner = owner_of(reaction.event, contexts)
            if owner is not None and owner is not context:
                yield Fault(
                    Code.ER110,
                    place=reaction.place,
                    problem=f"{name_of(reaction.event)} is a domain event of context {owner.name!r}.",
                    fix="Publish an integration event there and subscribe to it here.",
                )


def _import(context: Context[Any, Any], name: str) -> Iterator[Fault]:
    try:
        module = importlib.import_module(name)
        found = [module.__name__, *_submodules(module)]
        for each in found[1:]:
            importlib.import_module(each)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is imported
        yield _import_fault(context, name, error)
        return
    if not any(function.__module__ in found for function in _functions(context)):
        yield Fault(
            Code.ER107,
            place=context.place,
            problem=f"modules=[...] of context {context.name!r} names {name!r}, which registers no handler.",
            fix=f"Name the modules whose functions carry @{context.name}.command, .query, .on or .subscribe.",
        )


def _import_fault(context: Context[Any, Any], name: str, error: Exception | SystemExit) -> Fault:
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    extra = EXTRAS.get(missing)
    if extra is not None:
        return Fault(
            Code.ER402,
            place=context.place,
            problem=f"{name!r} needs {missing!r}, which is not installed.",
            fix=f'Install the extra: pip install "effect-runtime[{extra}]".',
        )
    return Fault(
        Code.ER107,
        place=context.place,
        problem=f"module {name!r} of context {context.name!r} cannot be imported: {type(error).__name__}: {error}.",
        fix="Correct the name, or what the module raises.",
    )


def _forgotten(context: Context[Any, Any]) -> Iterator[Fault]:
    """Find handlers that only happen to be registered, because something else imported their module."""
    if not context.modules:
        return
    reported: set[str] = set()
    for function in _functions(context):
        module = function.__module__
        if module not in reported and not any(_within(module, name) for name in context.modules):
            reported.add(module)
            yield Fault(
                Code.ER107,
                place=context.place,
                problem=f"handlers in {module!r} are registered with context {context.name!r}, "
                "whose modules=[...] does not name it.",
                fix=f"Add {module!r} to modules=[...], so that it is imported wherever the application runs.",
            )


def _submodules(module: ModuleType) -> Iterator[str]:
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        # Importing a `__main__` would run a program.
        if not found.name.rpartition(".")[2].startswith("__"):
            yield found.name


def _functions(context: Context[Any, Any]) -> Iterator[Any]:
    handlers: Iterable[Any] = (*context.commands, *context.queries, *context.handlers, *context.after_commits)
    yield from (handler.function for handler in handlers)
    for subscription in context.subscriptions:
        yield from (handler.function for handler in subscription.handlers)


def _closeness(context: Context[Any, Any], module: str) -> int:
    lengths = [len(name) for name in context.modules if _within(module, name)]
    if module == context.home or any(function.__module__ == module for function in _functions(context)):
        # The module itself is nearer than any package around it.
        lengths.append(len(module) + 1)
    return max(lengths, default=0)


def _within(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")
