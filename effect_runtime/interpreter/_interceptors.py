"""Interceptors: functions around the one way in which an operation is performed, wrapped like middleware.

Each takes the `Perform` below it and returns another. They compose in any order; none knows the loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, final

from attrs import field, frozen
from returns.result import Failure, Success

from effect_runtime.effect import Cancelled, Died, Exit, Failed, Kind, Operation, Raised, Succeeded
from effect_runtime.interpreter._cancellation import is_cancellation
from effect_runtime.interpreter._strand import Perform, Runtime

Interceptor: TypeAlias = Callable[[Perform], Perform]
"""Wrap the way in which operations are performed."""


class Tracer(Protocol):
    """Open a span around an operation. Duty: the span ends with the context, on every kind of exit."""

    def span(self, name: str, operation: Operation) -> AbstractContextManager[object]:
        """Return the context in which the operation named `name` is performed."""
        ...


@final
@frozen
class Recorded:
    """One operation as it was performed: where, with what, and how it ended.

    An operation that was answered with an effect has ended with that effect as its value: it runs afterwards.
    """

    place: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    kind: Kind
    exit: Exit[Any, Any]


@final
@frozen
class Inject:
    """One fault: the `nth` call of `method` raises `error`; with `after`, once it has been performed.

    An exception is a defect; a `Failure` is the declared failure that it holds.
    """

    method: object
    error: BaseException | Failure[Any]
    nth: int = field(default=1, kw_only=True)
    after: bool = field(default=False, kw_only=True)


def stub(answers: Mapping[Any, Any]) -> Interceptor:
    """Answer operations instead of performing them, keyed by the port's (or the adapter's) method.

    An answer is called with the operation's arguments and returns what the port's method would: an effect; or a
    plain value, a `Result` or an awaitable of either. A dispatched command is keyed by its handler and gets the
    message.
    """

    def intercept(perform: Perform) -> Perform:
        async def answered(operation: Operation, runtime: Runtime) -> Any:
            for key, answer in answers.items():
                if operation.answers_to(key, runtime):
                    value = answer(*operation.args, **operation.kwargs)
                    return await value if inspect.isawaitable(value) else value
            return await perform(operation, runtime)

        return answered

    return intercept


def record(log: list[Recorded]) -> Interceptor:
    """Append every operation that comes by, with its exit, to `log`; change nothing."""

    def intercept(perform: Perform) -> Perform:
        async def recorded(operation: Operation, runtime: Runtime) -> Any:
            exit: Exit[Any, Any] = Cancelled()
            try:
                answer = await perform(operation, runtime)
                exit = exit_of_answer(answer)
                return answer
            except BaseException as error:
                exit = _exit_of_error(error)
                raise
            finally:
                place, kwargs = operation.place(runtime), dict(operation.kwargs)
                log.append(Recorded(place, operation.args, kwargs, operation.kind, exit))

        return recorded

    return intercept


def trace(tracer: Tracer) -> Interceptor:
    """Perform every operation inside a span of `tracer`; change nothing."""

    def intercept(perform: Perform) -> Perform:
        async def traced(operation: Operation, runtime: Runtime) -> Any:
            with tracer.span(operation.place(runtime), operation):
                return await perform(operation, runtime)

        return traced

    return intercept


def inject(*faults: Inject) -> Interceptor:
    """Make chosen calls go wrong. Each interpreter that is built with it counts the calls anew."""

    def intercept(perform: Perform) -> Perform:
        calls = [0] * len(faults)

        async def injected(operation: Operation, runtime: Runtime) -> Any:
            due: list[Inject] = []
            for index, fault in enumerate(faults):
                if operation.answers_to(fault.method, runtime):
                    # Counted for all faults before any of them strikes, or one would hide a call from the others.
                    calls[index] += 1
                    if calls[index] == fault.nth:
                        due.append(fault)
            for fault in due:
                if not fault.after:
                    return _fault(fault)
            answer = await perform(operation, runtime)
            for fault in due:
                return _fault(fault)
            return answer

        return injected

    return intercept


def _fault(fault: Inject) -> Any:
    """Raise a defect, or answer with a failure."""
    if isinstance(fault.error, BaseException):
        raise fault.error
    return fault.error


def exit_of_answer(answer: Any) -> Exit[Any, Any]:
    """Return how an operation ended that was answered so."""
    match answer:
        case Success(value):
            return Succeeded(value)
        case Failure(error):
            return Failed(error)
        case _:
            return Succeeded(answer)


def _exit_of_error(error: BaseException) -> Exit[Any, Any]:
    match error:
        case Raised():
            return Failed(error.error)
        case _ if is_cancellation(error):
            return Cancelled()
        case _:
            return Died(error)
