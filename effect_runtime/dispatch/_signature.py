"""What a handler's annotations say: its message, its answer, its failures and the runtime it needs.

Reads types and builds faults about them. Knows no context, no unit of work, and runs nothing.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any, Never, NewType, NoReturn, Union, get_args, get_origin, get_type_hints

from attrs import frozen
from typing_extensions import TypeAliasType, get_protocol_members, is_protocol

from effect_runtime.effect import Do, Eff
from effect_runtime.errors import Code, Fault


@frozen
class Signature:
    """Hold a handler's types. `failures` is None when the annotation does not list them (`Any`)."""

    message: Any
    answer: Any
    failures: tuple[Any, ...] | None
    runtime: Any


def place_of(subject: Callable[..., Any] | type) -> str:
    """Name where a function or class is defined: file, line and qualified name."""
    name = f"{subject.__module__}.{subject.__qualname__}" if hasattr(subject, "__qualname__") else repr(subject)
    # The code object knows its line; asking `inspect` reads and parses the file, for each of a hundred handlers.
    code = getattr(inspect.unwrap(subject), "__code__", None)
    if isinstance(code, types.CodeType):
        return f"{code.co_filename}:{code.co_firstlineno} {name}"
    try:
        return f"{inspect.getsourcefile(subject)}:{inspect.getsourcelines(subject)[1]} {name}"
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, or in a file that is not Python
        return name


def definition_faults(function: Callable[..., Any]) -> Iterator[Fault]:
    """Find what can be seen where a handler is defined, before its annotations can be resolved."""
    place = place_of(function)
    body = inspect.unwrap(function)
    if not inspect.isroutine(body):
        yield Fault(
            Code.ER101,
            place=place,
            problem=f"the handler is a {type(body).__name__}, not a function.",
            fix="Write it as a `def` with annotations that calls the rest.",
        )
    elif inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        yield Fault(
            Code.ER102,
            place=place,
            problem="the handler is an async def, so nothing would ever await it.",
            fix="Write `def` and `yield from`; lift a coroutine with an @operation or from_async.",
        )
    else:
        yield from _annotation_faults(body, place)


def _annotation_faults(body: Callable[..., Any], place: str) -> Iterator[Fault]:
    parameters = _parameters(body)
    if len(parameters) != 1 or parameters[0].kind not in _POSITIONAL:
        yield Fault(
            Code.ER101,
            place=place,
            problem=f"the handler takes {_counted(parameters)}.",
            fix="Give it exactly one: the annotated message.",
        )
    unannotated = [parameter.name for parameter in parameters if parameter.annotation is inspect.Parameter.empty]
    if inspect.signature(body).return_annotation is inspect.Signature.empty:
        unannotated.append("return")
    if unannotated:
        yield Fault(
            Code.ER101,
            place=place,
            problem=f"no annotation for {', '.join(unannotated)}.",
            fix="Annotate the message and the result: `def borrow(cmd: Borrow) -> Lending[LoanId, PatronUnknown]:`.",
        )


def read_signature(function: Callable[..., Any]) -> Signature | Fault:
    """Resolve a handler's annotations, or say why they cannot be."""
    body = inspect.unwrap(function)
    try:
        hints = get_type_hints(body)
    except Exception as error:  # whatever evaluating a user's annotation raises
        return Fault(
            Code.ER101,
            place=place_of(function),
            problem=f"its annotations cannot be resolved: {error}.",
            fix="Define or import the names at the top of its module, outside `if TYPE_CHECKING:`.",
        )
    shape = _shape_of(hints.get("return"))
    if shape is None:
        return Fault(
            Code.ER103,
            place=place_of(function),
            problem=f"it returns {name_of(hints.get('return'))}, which is neither a do-block nor an Eff.",
            fix="Annotate the result with the context's alias of Do[A, E, R], or with Eff[A, E, R].",
        )
    answer, failures, runtime = shape
    first = _parameters(body)[0].name
    return Signature(hints.get(first), answer, members_of(failures), runtime)


def runtime_faults(function: Callable[..., Any], signature: Signature, runtime: type) -> Iterator[Fault]:
    """Check that `runtime` gives what a handler needs, by name; the type checkers compare the types themselves."""
    need = get_origin(signature.runtime) or signature.runtime
    # Types that are no classes, and `Any`, say nothing that could be checked here.
    if not isinstance(need, type) or need is object or need is Any or need is runtime:
        return
    if runtime is object:
        yield Fault(
            Code.ER104,
            place=place_of(function),
            problem=f"it needs {need.__qualname__}, but its context names no such runtime.",
            fix=f"Write Context(..., reads={need.__name__}), and bind it with a function that makes one.",
        )
        return
    if not is_protocol(need):
        if not issubclass(runtime, need):
            yield Fault(
                Code.ER104,
                place=place_of(function),
                problem=f"it needs {need.__qualname__}, but its context runs it with {runtime.__qualname__}.",
                fix=f"Annotate it with {runtime.__qualname__}, or move it to the context that has {need.__name__}.",
            )
        return
    missing = sorted(name for name in get_protocol_members(need) if name not in capabilities_of(runtime))
    if missing:
        yield Fault(
            Code.ER105,
            place=place_of(function),
            problem=f"it needs {', '.join(missing)}, which {runtime.__qualname__} lacks.",
            fix=f"Add {', '.join(missing)} to {runtime.__qualname__} and fill it where the context is bound.",
        )


def message_faults(event: type, function: Callable[..., Any], signature: Signature) -> Iterator[Fault]:
    """Check that the handler of an event says so in its annotation."""
    kind = signature.message
    if isinstance(kind, type) and not issubclass(event, kind):
        yield Fault(
            Code.ER101,
            place=place_of(function),
            problem=f"it is registered for {event.__qualname__} and annotated with {kind.__qualname__}.",
            fix=f"Annotate its parameter with {event.__qualname__}.",
        )


def capabilities_of(runtime: type) -> frozenset[str]:
    """Return the names of the services that a runtime class has."""
    annotated = {name for base in runtime.__mro__ for name in getattr(base, "__annotations__", {})}
    return frozenset(annotated) | frozenset(dir(runtime))


def members_of(failures: Any) -> tuple[Any, ...] | None:
    """Return the members of a union of failures, without duplicates; None when it is `Any`."""
    members: list[Any] = []
    if not _gather(failures, members):
        return None
    return tuple(dict.fromkeys(members))


def covers(declared: tuple[Any, ...], failure: Any) -> bool:
    """Tell whether one of the declared failures is `failure` or a base class of it."""
    return any(
        failure == one or (isinstance(failure, type) and isinstance(one, type) and issubclass(failure, one))
        for one in declared
    )


def covers_value(declared: tuple[Any, ...], failure: object) -> bool:
    """Tell whether a failure is of one of the declared types; types that cannot be tested are believed."""
    for one in declared:
        kind = one.__supertype__ if isinstance(one, NewType) else get_origin(one) or one
        if not isinstance(kind, type) or isinstance(failure, kind):
            return True
    return False


def name_of(annotation: Any) -> str:
    """Name a type for people."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _counted(parameters: list[inspect.Parameter]) -> str:
    names = ", ".join(parameter.name for parameter in parameters)
    return f"{len(parameters)} parameters ({names})" if len(parameters) > 1 else names or "no parameter"


def _shape_of(annotation: Any) -> tuple[Any, Any, Any] | None:
    """Take answer, failures and runtime out of `Do[...]`, `Eff[...]`, or what they stand for."""
    origin, given = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Do or origin is Eff or (isinstance(origin, type) and issubclass(origin, Eff)):
        stated = dict(zip(("answer", "failures", "runtime"), given, strict=False))
        return stated.get("answer", Any), stated.get("failures", Never), stated.get("runtime", object)
    # `Do[...]`, written out by hand.
    if origin is Generator and len(given) == 3 and get_origin(given[0]) is Eff:
        _, failures, runtime = get_args(given[0])
        return given[2], failures, runtime
    if isinstance(origin, TypeAliasType):
        return _shape_of(origin.__value__)
    return None


def _gather(failures: Any, into: list[Any]) -> bool:
    if failures is Any:
        return False
    if failures is Never or failures is NoReturn:
        return True
    if isinstance(failures, TypeAliasType):
        return _gather(failures.__value__, into)
    if get_origin(failures) in (Union, types.UnionType):
        return all(_gather(one, into) for one in get_args(failures))
    into.append(failures)
    return True
