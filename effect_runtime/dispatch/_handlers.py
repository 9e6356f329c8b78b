"""Commands, queries and domain event handlers: functions with the decisions that dispatch needs beside them.

Calling one builds an effect; knows no unit of work and no application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, Never, TypeAlias, cast

from attrs import frozen
from typing_extensions import TypeVar

from effect_runtime.dispatch._refused import Forbidden, Invalid
from effect_runtime.dispatch._request import Principal
from effect_runtime.dispatch._signature import Signature, place_of, read_signature
from effect_runtime.effect import Call, Eff, Program, do
from effect_runtime.errors import Fault
from effect_runtime.integration import FieldError

A_co = TypeVar("A_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)

Policy: TypeAlias = "Callable[[Principal, Any], bool | Eff[bool, Never, R]]"
"""Decide whether a principal may send a message: at once, or by an effect that runs inside the unit of work."""

Access: TypeAlias = "Literal['public', 'internal'] | Policy[R]"
"""Who may use a handler. `internal`: only the application itself, and other handlers of the context."""

Validator: TypeAlias = Callable[[Any], Iterable[FieldError]]
"""Find every wrong field of a message, beside what its type checks already."""


@frozen(eq=False, repr=False, slots=False)
class _Handler:
    """Hold what commands and queries have in common."""

    name: str
    context: str
    function: Callable[[Any], Program[Any, Any, Any]]
    body: Callable[[Any], Eff[Any, Any, Any]]
    access: Access[Any]
    validate: Validator | None

    @property
    def title(self) -> str:
        """Return the name under which messages and the audit speak of this handler."""
        return f"{self.context}.{self.name}"

    @property
    def place(self) -> str:
        """Return where the handler is defined."""
        return place_of(self.function)

    def signature(self) -> Signature | Fault:
        """Read the annotations."""
        return read_signature(self.function)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}>"


class Command(_Handler, Generic[C_contra, A_co, E_co, R_contra]):
    """A handler that may change data. Made by `@context.command(access=...)`."""

    def __call__(self, command: C_contra) -> Eff[A_co, E_co | Invalid | Forbidden, R_contra]:
        """Describe dispatching the command: validation, access, and a unit of work (nested: a savepoint)."""
        return cast("Eff[A_co, E_co | Invalid | Forbidden, R_contra]", Call(self, command, title=self.name))

    def program(self, command: C_contra) -> Eff[A_co, E_co, R_contra]:
        """Describe the bare body, without dispatch: for unit tests."""
        return cast("Eff[A_co, E_co, R_contra]", self.body(command))


class Query(_Handler, Generic[C_contra, A_co, E_co, R_contra]):
    """A handler that reads. Made by `@context.query(access=...)`."""

    def __call__(self, query: C_contra) -> Eff[A_co, E_co | Invalid | Forbidden, R_contra]:
        """Describe dispatching the query: validation, access, and one read session."""
        return cast("Eff[A_co, E_co | Invalid | Forbidden, R_contra]", Call(self, query, title=self.name))

    def program(self, query: C_contra) -> Eff[A_co, E_co, R_contra]:
        """Describe the bare body, without dispatch: for unit tests."""
        return cast("Eff[A_co, E_co, R_contra]", self.body(query))


@frozen(eq=False, repr=False)
class DomainHandler:
    """A handler of a domain event, run in the transaction of the command that emitted it."""

    context: str
    event: type
    function: Callable[[Any], Program[Any, Any, Any]]
    body: Callable[[Any], Eff[Any, Any, Any]]

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.function.__name__

    @property
    def place(self) -> str:
        """Return where the handler is defined."""
        return place_of(self.function)

    def signature(self) -> Signature | Fault:
        """Read the annotations."""
        return read_signature(self.function)

    def program(self, event: Any) -> Eff[Any, Any, Any]:
        """Describe the bare body: for unit tests."""
        return self.body(event)

    def __repr__(self) -> str:
        return f"<DomainHandler {self.context}.{self.name} on {self.event.__name__}>"


def body_of(function: Callable[[Any], Program[Any, Any, Any]]) -> Callable[[Any], Eff[Any, Any, Any]]:
    """Make a handler function one that returns a re-runnable effect."""
    return do(function)
