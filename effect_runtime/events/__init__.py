"""What the inside hears: domain events, and the queue that holds them until their unit of work has handled them.

Nothing here leaves a context; what does is the chapter `integration`.
"""

from __future__ import annotations

from effect_runtime.events._domain_event import DomainEvent as DomainEvent
from effect_runtime.events._domain_event import declared_failures
from effect_runtime.events._queue import Enqueued, HasEvents
from effect_runtime.events._queue import Events as Events
from effect_runtime.events._queue import emit as emit
from effect_runtime.events._queue import enqueue as enqueue

__all__ = [
    "Enqueued",
    "HasEvents",
    "declared_failures",
]
