"""What the inside hears: domain events, and the queue that holds them until their unit of work has handled them.

Nothing here leaves a context; what does is the chapter `integration`.
"""

from __future__ import annotations

from effect_runtime.events._domain_event import DomainEvent, declared_failures
from effect_runtime.events._queue import Events, HasEvents, emit

__all__ = ["DomainEvent", "Events", "HasEvents", "declared_failures", "emit"]
