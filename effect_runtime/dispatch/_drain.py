"""Domain events in the transaction: each handler in turn, first in first out, until no event is left.

Knows the queue of one unit and the handlers of its context; commits nothing.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from effect_runtime.dispatch._home import Home, Reaction
from effect_runtime.dispatch._signature import covers_value
from effect_runtime.dispatch._unit import Unit
from effect_runtime.effect import Raised
from effect_runtime.errors import EventCycle, ForeignEvent, UndeclaredFailure
from effect_runtime.events import Enqueued
from effect_runtime.interpreter import note

Cause: TypeAlias = "tuple[type, Cause | None]"
"""An event's type and what caused it."""


async def drain(unit: Unit) -> None:
    """Handle the events that the unit has emitted, and those that their handlers emit."""
    # By places, not by an iterator: handlers add to the queue while it is drained, and a savepoint may cut what they
    # added. `causes` is as long as the queue was when it was last looked at.
    events = unit.events
    causes: list[Cause | None] = [None] * events.mark()
    position = 0
    while position < events.mark():
        event = events.at(position)
        cause = causes[position]
        position += 1
        if isinstance(event, Enqueued):
            continue  # for after-commit handlers alone
        reaction = unit.home.reactions.get(type(event))
        if reaction is None:
            refuse_stranger(unit.home, type(event))
            continue
        await _react(unit, event, reaction)
        emitted = events.mark() - len(causes)
        if emitted:
            link = (type(event), cause)
            if any(not isinstance(events.at(place), Enqueued) for place in range(len(causes), events.mark())):
                _refuse_cycle(link, bound=unit.home.binding.event_depth)
            causes.extend([link] * emitted)


async def _react(unit: Unit, event: Any, reaction: Reaction) -> None:
    for handler in reaction.handlers:
        try:
            await unit.interpreter.interpret(handler.body(event), unit.runtime)
        except Raised as raised:
            if reaction.declared is not None and not covers_value(reaction.declared, raised.error):
                raise UndeclaredFailure(
                    type(event).__qualname__, handler=handler.name, failure=raised.error
                ) from raised
            raise
        except Exception as defect:
            note(defect, f"while {handler.name} handled {type(event).__qualname__}")
            raise


def refuse_stranger(home: Home, event: type) -> None:
    """Refuse an event of another context; one that nobody handles is fine."""
    owner = home.strangers.get(event)
    if owner is not None:
        raise ForeignEvent(
            event.__qualname__,
            place=f"context {home.name!r}",
            reason=f"it is a domain event of context {owner!r}, and domain events never leave their context",
            fix="Publish an integration event instead, and subscribe to it.",
        )


def _refuse_cycle(link: Cause, *, bound: int) -> None:
    chain: list[str] = []
    step: Cause | None = link
    while step is not None:
        chain.append(step[0].__qualname__)
        step = step[1]
    if len(chain) >= bound:
        chain.reverse()
        raise EventCycle(_turning(chain), bound=bound)


def _turning(chain: list[str]) -> list[str]:
    """Return the shortest end of a chain that repeats itself, or its last links."""
    last = chain[-1]
    for length in range(1, len(chain)):
        if chain[-1 - length] == last:
            return chain[-1 - length :]
    return chain[-8:]
