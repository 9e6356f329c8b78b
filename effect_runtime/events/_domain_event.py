"""Domain events: what happened inside one context, told within its transaction.

Knows how an event class declares what its handlers may fail with. Knows no queue and no handler.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, ForwardRef, Generic, Never, get_args, get_origin

from typing_extensions import TypeVar, evaluate_forward_ref, get_original_bases

from effect_runtime.errors import EventNameWarning

E_co = TypeVar("E_co", covariant=True, default=Never)

ENDING: Final = "Occurred"


class DomainEvent(Generic[E_co]):
    """Be the base of a domain event; `E` is what its handlers in the transaction may fail with.

    `class BookReturnedOccurred(DomainEvent[HoldOrderBroken])` lets its handlers veto with `HoldOrderBroken`, which
    joins the failures of every command that emits it; a bare `DomainEvent` lets them veto with nothing. Write it as a
    frozen attrs class whose name ends in `Occurred` (`errors.EventNameWarning` otherwise). It never leaves its
    context, so its fields may be anything.
    """

    __slots__ = ()
    __domain_event__: ClassVar[bool] = True

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        # A class that is an integration event too is refused by the topic, wherever it stands among the bases.
        checked: Callable[[], None] | None = getattr(super(), "__attrs_init_subclass__", None)
        if checked is not None:
            checked()
        if not cls.__name__.endswith(ENDING):
            warnings.warn(EventNameWarning(f"{cls.__module__}.{cls.__qualname__}", ending=ENDING), stacklevel=2)


def declared_failures(event: type[DomainEvent[Any]]) -> Any:
    """Return the annotation of what an event's handlers may fail with; `Never` for a bare `DomainEvent`.

    Raises NameError where a failure is named as text that its module does not define.
    """
    return _declared(event, {})


def _declared(cls: type, bound: Mapping[Any, Any]) -> Any:
    """Follow the bases up to `DomainEvent[E]`, with the type variables that a generic event class has bound."""
    for original in get_original_bases(cls):
        base = get_origin(original) or original
        arguments = tuple(_resolved(argument, cls, bound) for argument in get_args(original))
        if base is DomainEvent:
            return arguments[0] if arguments else Never
        if isinstance(base, type) and issubclass(base, DomainEvent):
            # A generic event class in between has named E its own way; what this class put there is what counts.
            return _declared(base, dict(zip(getattr(base, "__parameters__", ()), arguments, strict=False)))
    return Never


def _resolved(argument: Any, cls: type, bound: Mapping[Any, Any]) -> Any:
    if isinstance(argument, ForwardRef):
        # typing cannot know where the text was written; the class that wrote it does.
        argument = evaluate_forward_ref(argument, globals=vars(sys.modules[cls.__module__]))
    if isinstance(argument, TypeVar):
        return bound.get(argument, Never)
    variables = getattr(argument, "__parameters__", ())
    return argument[tuple(bound.get(variable, Never) for variable in variables)] if variables else argument
