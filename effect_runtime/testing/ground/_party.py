"""Somebody outside an application whom a crash does not touch: what each run asks of them, and what they hold.

Knows nothing of what they do.
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterator
from typing import Any, Protocol


class Party(Protocol):
    """Somebody outside whom a crash does not touch. Duty: `reset` forgets everything, before each run."""

    def reset(self) -> None:
        """Forget everything."""
        ...


def state_of(party: object) -> Hashable:
    """Return what tells two states of a party apart; where that cannot be told, no two are the same."""
    try:
        return pickle.dumps([*held(party)], protocol=5)
    except Exception:  # whatever a user's own object says to being copied
        return object()


def held(party: object) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, by name."""
    # Not the object itself: a class that was made inside a function cannot be found again by its name.
    for name in dict.fromkeys((*_slots(type(party)), *getattr(party, "__dict__", ()))):
        if name != "__weakref__":
            yield name, getattr(party, name, None)


def _slots(kind: type) -> Iterator[str]:
    for ancestor in kind.__mro__:
        slots = ancestor.__dict__.get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots
