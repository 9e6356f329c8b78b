"""Typed effects, one unit of work, and events that are never lost.

The chapters, in the order in which they are read and may import one another:

- `effect_runtime.effect`: what should happen, as values
- `effect_runtime.interpreter`: how it unfolds; the one run loop
- `effect_runtime.runtime`: with what; services and operations
- `effect_runtime.events`: what the inside hears
- `effect_runtime.integration`: what the outside hears
- `effect_runtime.manifest`: what was promised on the wire, and which change breaks it
- `effect_runtime.dispatch`: who answers; contexts and the unit of work
- `effect_runtime.transports`: by which wire; import `InProcess` from here
- `effect_runtime.outbox`: how it leaves without loss; stores in `outbox.memory` and `outbox.sqlite`
- `effect_runtime.app`: put together
- `effect_runtime.errors`: what went wrong

This door holds the names of daily use; the rest stand at their chapter's own. It opens a chapter when one of its names
is first asked for, so that a module which describes effects does not load what stores and delivers them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from effect_runtime.app import App
    from effect_runtime.dispatch import (
        Context,
        Forbidden,
        Invalid,
        Principal,
        ReadTransaction,
        Refused,
        Transaction,
        announce,
        atomic,
    )
    from effect_runtime.effect import (
        A,
        Do,
        E,
        Eff,
        Failed,
        Schedule,
        Succeeded,
        attempt,
        catch,
        do,
        fail,
        for_each,
        from_result,
        gather,
        guard,
        provide,
        recover,
        require,
        succeed,
    )
    from effect_runtime.events import DomainEvent, Events, emit
    from effect_runtime.integration import Outbox, Topic, integration_event, publish
    from effect_runtime.interpreter import run, run_exit
    from effect_runtime.runtime import ask, operation

__all__ = [
    "A",
    "App",
    "Context",
    "Do",
    "DomainEvent",
    "E",
    "Eff",
    "Events",
    "Failed",
    "Forbidden",
    "Invalid",
    "Outbox",
    "Principal",
    "ReadTransaction",
    "Refused",
    "Schedule",
    "Succeeded",
    "Topic",
    "Transaction",
    "announce",
    "ask",
    "atomic",
    "attempt",
    "catch",
    "do",
    "emit",
    "fail",
    "for_each",
    "from_result",
    "gather",
    "guard",
    "integration_event",
    "operation",
    "provide",
    "publish",
    "recover",
    "require",
    "run",
    "run_exit",
    "succeed",
]

if not TYPE_CHECKING:  # Shown to a type checker, `__getattr__` would make every misspelt name pass.
    _NAMES = {
        "app": "App",
        "dispatch": "Context Forbidden Invalid Principal ReadTransaction Refused Transaction announce atomic",
        "effect": "A Do E Eff Failed Schedule Succeeded attempt catch do fail for_each from_result gather guard "
        "provide recover require succeed",
        "events": "DomainEvent Events emit",
        "integration": "Outbox Topic integration_event publish",
        "interpreter": "run run_exit",
        "runtime": "ask operation",
    }
    _CHAPTERS = {name: chapter for chapter, names in _NAMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Return a name of this door from its chapter, and keep it."""
        if name not in _CHAPTERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}. Import a chapter by its own name.")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_CHAPTERS[name]}"), name)
        return value

    def __dir__() -> list[str]:
        """List the names of this door, loaded or not."""
        return sorted({*globals(), *__all__})
