"""A context: one bounded part of a system, recording its handlers on itself.

Registration only: what can be seen at a definition is refused there, the rest when the application is built. Knows
no store, no unit of work, no other context.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Generic, Never, cast, overload

from typing_extensions import TypeVar

from effect_runtime.dispatch._after_commit import AfterCommit
from effect_runtime.dispatch._binding import Binding, ReadTransaction, Transaction, persistent
from effect_runtime.dispatch._context_faults import (
    access_faults,
    event_kind_faults,
    modules_faults,
    publishes_faults,
    queue_kind_faults,
    runtime_kind_faults,
)
from effect_runtime.dispatch._event_queue import EventQueue
from effect_runtime.dispatch._handlers import Access, Command, DomainHandler, Query, Validator, body_of
from effect_runtime.dispatch._ports import Store
from effect_runtime.dispatch._signature import definition_faults
from effect_runtime.dispatch._subscription import Poison, Start, Subscription, patient
from effect_runtime.effect import Ask, Eff, Program, Schedule
from effect_runtime.errors import raise_faults
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Topic

R = TypeVar("R")
N = TypeVar("N", default=object)
A = TypeVar("A")
C = TypeVar("C")
F = TypeVar("F")
D = TypeVar("D", bound=DomainEvent[Any])
S = TypeVar("S")
Q = TypeVar("Q")
O = TypeVar("O")  # noqa: E741  # what resources= opens


class Context(Generic[R, N]):
    """Record the commands, queries, event handlers and subscriptions of one bounded context.

    `runtime` is the class of services that its commands run with, `reads` the one for its queries. `publishes` lists
    the topics it owns. `modules` names the modules (or packages) that hold its handlers: they are imported when the
    application is built, so that no handler is forgotten.
    """

    def __init__(
        self,
        name: str,
        runtime: type[R],
        *,
        reads: type[N] | None = None,
        publishes: Sequence[type[Topic]] = (),
        modules: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.runtime_type: type[R] = runtime
        self.reads_type: type[N] | None = reads
        self.home, self.place = _caller()
        faults = (
            *runtime_kind_faults(self.place, runtime=runtime, reads=reads),
            *publishes_faults(self.place, publishes),
            *modules_faults(self.place, modules),
        )
        raise_faults(f"context {name!r}", faults)
        self.publishes = tuple(publishes)
        self.modules = tuple(modules)
        self.commands: list[Command[Any, Any, Any, R]] = []
        self.queries: list[Query[Any, Any, Any, N]] = []
        self.handlers: list[DomainHandler] = []
        self.after_commits: list[AfterCommit] = []
        self.subscriptions: list[Subscription[R]] = []
        self._runtime: Eff[R, Never, R] = Ask()
        self._reads: Eff[N, Never, N] = Ask()

    @property
    def runtime(self) -> Eff[R, Never, R]:
        """Describe asking for the runtime: `rt = yield from lending.runtime`."""
        return self._runtime

    @property
    def reads(self) -> Eff[N, Never, N]:
        """Describe asking for the runtime of queries: `rt = yield from lending.reads`."""
        return self._reads

    def command(
        self, *bare: Never, access: Access[R] | None = None, validate: Validator | None = None
    ) -> Callable[[Callable[[C], Program[A, F, R]]], Command[C, A, F, R]]:
        """Register the handler of a command.

        `access` must be decided: "public", "internal" (refused at the doors of the application, allowed to other
        handlers), or a policy `(principal, command) -> bool`, which may be an effect that reads. `validate` returns
        every wrong field. The handler is refused at once if it is an `async def`, unannotated, or without `access`;
        a `bare` decorator, without parentheses, is without `access`.
        """
        _refuse_bare(self, bare)

        def register(function: Callable[[C], Program[A, F, R]]) -> Command[C, A, F, R]:
            raise_faults(f"context {self.name!r}", (*definition_faults(function), *access_faults(function, access)))
            made = Command[C, A, F, R](
                function.__name__, self.name, function, body_of(function), cast("Access[Any]", access), validate
            )
            self.commands.append(made)
            return made

        return register

    def query(
        self, *bare: Never, access: Access[N] | None = None, validate: Validator | None = None
    ) -> Callable[[Callable[[C], Program[A, F, N]]], Query[C, A, F, N]]:
        """Register the handler of a query; `access`, `validate` and `bare` as for a command."""
        _refuse_bare(self, bare)

        def register(function: Callable[[C], Program[A, F, N]]) -> Query[C, A, F, N]:
            raise_faults(f"context {self.name!r}", (*definition_faults(function), *access_faults(function, access)))
            made = Query[C, A, F, N](
                function.__name__, self.name, function, body_of(function), cast("Access[Any]", access), validate
            )
            self.queries.append(made)
            return made

        return register

    def on(self, event: type[DomainEvent[F]]) -> Callable[[Callable[[Any], Program[None, F, R]]], DomainHandler]:
        """Register a handler of a domain event; it runs before the commit, in the same transaction.

        Handlers of one event run in the order of registration. What one may fail with is what the event declares;
        such a failure fails the command.
        """
        if inspect.isroutine(event):  # a decorator without parentheses: what it was given is the handler
            raise_faults(f"context {self.name!r}", event_kind_faults(event, None))

        def register(function: Callable[[Any], Program[None, F, R]]) -> DomainHandler:
            raise_faults(f"context {self.name!r}", (*definition_faults(function), *event_kind_faults(function, event)))
            made = DomainHandler(self.name, event, function, body_of(function))
            self.handlers.append(made)
            return made

        return register

    def after_commit(
        self,
        event: type[D],
        *,
        queue: EventQueue,
        key: str | None = None,
        id: str | None = None,
        ignore: tuple[type, ...] = (),
        dead_letter: tuple[type, ...] = (),
    ) -> Callable[[Callable[[D], Program[Any, Any, R]]], AfterCommit]:
        """Register a handler of a domain event that runs after the commit, in a unit of its own, by `queue`.

        The events of one `key`, a field of the event, are handled in their order, one at a time. The context's name
        and the function's are stored with each event: `id` stands for the function's name when that has changed.
        What the handler fails with is tried again by the queue, unless it is named: `ignore`: the event counts as
        handled; `dead_letter`: given up at once, as are `Invalid` and `Forbidden`.
        """

        def register(function: Callable[[D], Program[Any, Any, R]]) -> AfterCommit:
            faults = (
                *definition_faults(function),
                *event_kind_faults(function, event),
                *queue_kind_faults(function, queue),
            )
            raise_faults(f"context {self.name!r}", faults)
            made = AfterCommit(
                title=f"{self.name}.{id or function.__name__}",
                context=self.name,
                event=event,
                queue=queue,
                key=key,
                function=function,
                body=body_of(function),
                ignore=tuple(ignore),
                dead_letter=tuple(dead_letter),
            )
            self.after_commits.append(made)
            return made

        return register

    def subscribe(
        self,
        topic: type[Topic],
        *,
        id: str,
        start: Start = "now",
        schedule: Schedule = patient,
        poison: Poison = "block",
        gap_deadline: timedelta = timedelta(minutes=1),
        parked_limit: int = 1000,
    ) -> Subscription[R]:
        """Register one consumer of another context's topic; give it handlers with `.on(Event)`.

        A gap in a key's numbers older than `gap_deadline` is reported; `parked_limit` bounds the events of one key
        that wait, and beyond it the key pauses at its sender.
        """
        made = Subscription[R](
            id=id,
            topic=topic,
            context=self.name,
            start=start,
            schedule=schedule,
            poison=poison,
            gap_deadline=gap_deadline,
            parked_limit=parked_limit,
            place=_caller()[1],
        )
        self.subscriptions.append(made)
        return made

    @overload
    def bind(
        self,
        make: Callable[[Transaction[S]], R],
        make_reads: Callable[[ReadTransaction[Q]], N] | None = None,
        *,
        store: Store[S, Q],
        conflicts: Schedule = ...,
        deadline: timedelta | None = ...,
        event_depth: int = ...,
    ) -> Binding: ...
    @overload
    def bind(
        self,
        make: Callable[[Transaction[S], O], R],
        make_reads: Callable[[ReadTransaction[Q]], N] | Callable[[ReadTransaction[Q], O], N] | None = None,
        *,
        store: Store[S, Q],
        resources: Callable[[], AbstractAsyncContextManager[O]],
        conflicts: Schedule = ...,
        deadline: timedelta | None = ...,
        event_depth: int = ...,
    ) -> Binding: ...
    def bind(
        self,
        make: Callable[..., R],
        make_reads: Callable[..., N] | None = None,
        *,
        store: Store[Any, Any],
        resources: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
        conflicts: Schedule = persistent,
        deadline: timedelta | None = timedelta(seconds=30),
        event_depth: int = 32,
    ) -> Binding:
        """Say which store keeps this context, and how its runtimes are built for each unit of work.

        `resources` is opened once and handed to `make`, and to `make_reads` if that takes a second argument.
        Conflicting units run again by `conflicts`; `deadline` bounds one unit, `event_depth` how deep domain events
        may cause one another.
        """
        return Binding(
            context=self,
            make=make,
            make_reads=make_reads,
            reads_take_resources=make_reads is not None and _takes_two(make_reads),
            store=store,
            resources=resources,
            conflicts=conflicts,
            deadline=deadline,
            event_depth=event_depth,
        )

    def __repr__(self) -> str:
        return f"<Context {self.name!r}>"


def _refuse_bare(context: Context[Any, Any], bare: tuple[Any, ...]) -> None:
    raise_faults(f"context {context.name!r}", tuple(fault for each in bare for fault in access_faults(each, None)))


def _takes_two(make: Callable[..., Any]) -> bool:
    required = [
        parameter
        for parameter in inspect.signature(make).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return len(required) == 2


def _caller() -> tuple[str, str]:
    """Return the module that is defining something, and the line."""
    # By the frames of the caller: the module decides whose territory classes are in, and nobody should have to pass
    # `__name__`.
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    if frame is None:
        return "", "unknown"
    return frame.f_globals.get("__name__", ""), f"{frame.f_code.co_filename}:{frame.f_lineno}"
