"""What is wrong with the arguments of a context and of its decorators, seen where they are written.

Pure functions over one argument each; what needs the others is found when the application is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._signature import name_of, place_of
from effect_runtime.errors import Code, Fault
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Topic


def access_faults(function: Callable[..., Any], access: object) -> tuple[Fault, ...]:
    """Find a handler that does not decide who may use it, or decides by what cannot be asked."""
    if isinstance(access, str) and access in ("public", "internal"):
        return ()
    if callable(access):
        return _policy_faults(function, access)
    return (
        Fault(
            Code.ER108,
            place=place_of(function),
            problem="it does not say who may use it." if access is None else f"access={access!r} is no decision.",
            fix='Write access="public", access="internal", or access=policy, a function of (principal, message).',
        ),
    )


def event_kind_faults(function: Callable[..., Any], event: object) -> tuple[Fault, ...]:
    """Find a handler that is registered for no domain event."""
    if isinstance(event, type) and issubclass(event, DomainEvent):
        return ()
    return (
        Fault(
            Code.ER113,
            place=place_of(function),
            problem="it does not say which event it handles."
            if event is None
            else f"it is registered for {name_of(event)}, which is no domain event.",
            fix="Write @context.on(SomethingOccurred), a subclass of DomainEvent; hear a topic with a subscription.",
        ),
    )


def queue_kind_faults(function: Callable[..., Any], queue: object) -> tuple[Fault, ...]:
    """Find an after-commit handler whose queue is none."""
    if isinstance(queue, EventQueue):
        return ()
    problem, fix = f"queue={queue!r} is no queue.", 'Write queue=EventQueue("name"), and share it between handlers.'
    return (Fault(Code.ER119, place=place_of(function), problem=problem, fix=fix),)


def runtime_kind_faults(place: str, **runtimes: object) -> Iterator[Fault]:
    """Find runtimes that are no classes, by the name of their argument."""
    for role, runtime in runtimes.items():
        if runtime is not None and not isinstance(runtime, type):
            yield Fault(
                Code.ER120,
                place=place,
                problem=f"{role}={runtime!r} is no class.",
                fix=f"Give the class, {type(runtime).__name__}: bind(...) makes one for each unit of work.",
            )


def publishes_faults(place: str, topics: object) -> Iterator[Fault]:
    """Find what `publishes=` holds beside topics."""
    if isinstance(topics, Iterable) and not isinstance(topics, str):
        misfits = [topic for topic in topics if not (isinstance(topic, type) and issubclass(topic, Topic))]
    else:
        misfits = [topics]
    for topic in misfits:
        named = topic.__name__ if isinstance(topic, type) and issubclass(topic, Topic) else "LendingEvents"
        yield Fault(
            Code.ER120,
            place=place,
            problem=f"publishes= holds {topic!r}, and is a list of topics.",
            fix=f"Write publishes=[{named}], a subclass of Topic.",
        )


def modules_faults(place: str, modules: object) -> tuple[Fault, ...]:
    """Find one text where a list of modules is meant."""
    if not isinstance(modules, str):
        return ()
    problem = f"modules={modules!r} is one text, of which each letter would be a module."
    return (Fault(Code.ER107, place=place, problem=problem, fix=f"Write modules=[{modules!r}]."),)


def _policy_faults(function: Callable[..., Any], policy: Callable[..., Any]) -> tuple[Fault, ...]:
    """Find the policies that would answer with something that is no decision, and those that cannot be asked."""
    call = policy if inspect.isroutine(policy) else type(policy).__call__
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        problem, fix = "its policy is an async def, whose answer nobody would await.", "Write a plain `def`"
    elif inspect.isgeneratorfunction(call):
        problem, fix = "its policy is a do-block that nobody would run.", "Put `@do` above it"
    elif not _takes(policy, 2):
        problem, fix = "its policy does not take a principal and the message.", "Give it two parameters"
    else:
        return ()
    fix = f"{fix}: a policy is `(principal, message) -> bool`, or a do-block under `@do` that reads."
    return (Fault(Code.ER108, place=place_of(function), problem=problem, fix=fix),)


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a function of C, of which Python does not know
        return True
    return True
