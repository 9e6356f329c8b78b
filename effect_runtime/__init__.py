"""Typed effects, one unit of work, and events that are never lost.

The chapters, in the order in which they are read and may import one another:

- `effect_runtime.effect`: what should happen, as values
- `effect_runtime.interpreter`: how it unfolds; the one run loop
- `effect_runtime.runtime`: with what; services and operations
- `effect_runtime.events`: what the inside hears
- `effect_runtime.integration`: what the outside hears
- `effect_runtime.dispatch`: who answers; contexts and the unit of work
- `effect_runtime.transports`: by which wire; import `InProcess` from here
- `effect_runtime.outbox`: how it leaves without loss; stores in `outbox.memory` and `outbox.sqlite`
- `effect_runtime.app`: put together
- `effect_runtime.errors`: what went wrong

This door holds the names of daily use; the rest stand at their chapter's own.
"""

from __future__ import annotations

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
