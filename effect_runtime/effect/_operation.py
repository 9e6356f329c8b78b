"""Operations as data: which service, which method, which arguments, of what kind.

Knows how an operation is named after the port it belongs to; knows no loop and performs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Literal, TypeAlias, final, get_type_hints

from attrs import frozen

from effect_runtime.effect._eff import Eff
from effect_runtime.effect._recipe import recipe

Kind: TypeAlias = Literal["transactional", "local", "external", "dispatch"]
"""How an operation relates to the unit of work; `dispatch` is a message for a handler."""


@final
@frozen
class Port:
    """Name the place of an operation in a runtime: the field, and the class that annotates it."""

    field: str | None
    type: type[Any]
    shared: bool = False

    def __str__(self) -> str:
        return f"{self.field}:{self.type.__name__}" if self.shared else self.type.__name__


@final
@frozen
class Method:
    """Say what every call of one adapter method has in common."""

    function: Callable[..., Awaitable[Any]]
    name: str
    kind: Kind
    idempotent: bool

    def builder(self) -> Callable[..., Operation]:
        """Return a function with the method's own face that builds the operation of a call."""
        return recipe(Operation, ("method", "call", "kwargs"), self.function, self)  # type: ignore[no-any-return]  # edge


class Operation(Eff[Any, Any, Any]):
    """Call one method of one service, as data that an interceptor can read, answer or refuse.

    `call` holds the service followed by the positional arguments: what the method's function is called with.
    Built by `@operation`. No `__init__`: a class without one is made twice as fast.
    """

    __slots__ = ("call", "kwargs", "method")

    method: Method
    call: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def function(self) -> Callable[..., Awaitable[Any]]:
        """Return the adapter's async function; its first argument is the service."""
        return self.method.function

    @property
    def service(self) -> Any:
        """Return the adapter that the method is called on."""
        return self.call[0]

    @property
    def args(self) -> tuple[Any, ...]:
        """Return the positional arguments."""
        return self.call[1:]

    @property
    def name(self) -> str:
        """Return the name of the method."""
        return self.method.name

    @property
    def kind(self) -> Kind:
        """Return how the operation relates to a transaction."""
        return self.method.kind

    @property
    def idempotent(self) -> bool:
        """Say whether performing it again changes nothing more."""
        return self.method.idempotent

    def port(self, runtime: object) -> Port:
        """Return the port of the runtime field that holds the service, or the service's own class."""
        service = self.service
        kind: Any = type(runtime)  # edge: mypy does not see that classes can be hashed
        for candidate in _ports(kind):
            if getattr(runtime, candidate.field or "", None) is service:
                return candidate
        return Port(None, type(service))

    def place(self, runtime: object) -> str:
        """Return the operation's name for people, such as `Patrons.get` or `readers:Patrons.get`."""
        return f"{self.port(runtime)}.{self.name}"

    def answers_to(self, key: object, runtime: object) -> bool:
        """Say whether `key`, a method taken from the port's or the adapter's class, names this operation."""
        return key is getattr(self.port(runtime).type, self.name, None) or key is getattr(
            type(self.service), self.name, None
        )

    def __repr__(self) -> str:
        return f"<{type(self.service).__name__}.{self.name}(...) operation>"


@final
class Call(Operation):
    """Dispatch one message to its handler: an operation like any other, answered by dispatch."""

    __slots__ = ("handler", "message", "title")

    def __init__(self, handler: object, message: object, *, title: str, idempotent: bool = False) -> None:
        self.method = Method(_unanswered, title, "dispatch", idempotent)
        self.call = (handler, message)
        self.kwargs = {}
        self.handler = handler
        self.message = message
        self.title = title

    def port(self, runtime: object) -> Port:
        """Return the class of the handler."""
        return Port(None, type(self.handler))

    def place(self, runtime: object) -> str:
        """Return the handler's name."""
        return self.title

    def answers_to(self, key: object, runtime: object) -> bool:
        """Say whether `key` is the handler itself."""
        return key is self.handler


async def _unanswered(handler: object, message: object) -> Any:
    """Be the body of an operation that only dispatch can perform; the interpreter never calls it."""
    raise TypeError(handler, message)


# Bounded, because a cache holds its classes and a test suite defines them by the hundred.
@lru_cache(maxsize=256)
def _ports(runtime: type[Any]) -> tuple[Port, ...]:
    """Read the ports off the annotations of a runtime class, once per class."""
    try:
        hints = get_type_hints(runtime)
    except (NameError, TypeError, AttributeError):
        return ()  # Annotations that only a type checker can see: the adapter's own class names the port then.
    found = [(name, hint) for name, hint in hints.items() if isinstance(hint, type)]
    # Two fields of one port are told apart by the name of the field; a stub that is keyed by the port answers both.
    kinds = [hint for _, hint in found]
    return tuple(Port(name, hint, kinds.count(hint) > 1) for name, hint in found)
