"""Clients from messages that were drawn: who sends what, beside whom. Knows no plan and no world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from effect_runtime.dispatch import Principal, anonymous
from effect_runtime.effect import Eff
from effect_runtime.testing.properties._messages import Source, handler_of
from effect_runtime.testing.world._process import Client


def clients_of(
    source: Source,
    messages: Sequence[Any],
    *,
    fibers: int = 2,
    principal: Principal = anonymous,
) -> tuple[Client, ...]:
    """Return clients for `simulate` who send some messages: dealt round to `fibers` of each context, in their order.

    `source` says who handles them, as for `commands_of`. A client asks one context. Raises
    `errors.NotSimulated` for a message that nobody there handles.
    """
    asked: dict[str, list[Eff[Any, Any, Any]]] = {}
    for message in messages:
        handler = handler_of(source, message)
        asked.setdefault(handler.context, []).append(handler(message))
    return tuple(
        Client(f"{context}-{number + 1}", programs[number::fibers], principal=principal)
        for context, programs in asked.items()
        for number in range(min(fibers, len(programs)))
    )
