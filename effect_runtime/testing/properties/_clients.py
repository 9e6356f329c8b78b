"""Clients from messages that were drawn: who sends what, beside whom. Knows no plan and no world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from effect_runtime.app import App
from effect_runtime.dispatch import Context, Principal, anonymous
from effect_runtime.effect import Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.testing._process import Client
from effect_runtime.testing.properties._messages import Handler, signature_of


def clients_of(
    source: App | Context[Any, Any] | Iterable[Handler],
    messages: Sequence[Any],
    *,
    fibers: int = 2,
    principal: Principal = anonymous,
) -> tuple[Client, ...]:
    """Return clients for `simulate` who send some messages: dealt round to `fibers` of each context, in their order.

    `source` says who handles them, as for `commands_of`, or is the application. A client asks one context. Raises
    `errors.NotSimulated` for a message that nobody there handles.
    """
    known = {signature_of(handler).message: handler for handler in _handlers(source)}
    asked: dict[str, list[Eff[Any, Any, Any]]] = {}
    for message in messages:
        handler = known.get(type(message))
        if handler is None:
            names = ", ".join(sorted(getattr(kind, "__name__", str(kind)) for kind in known))
            raise NotSimulated(f"a client who sends {message!r}", reason=f"nobody handles it; there are {names}")
        asked.setdefault(str(handler.context), []).append(handler(message))
    return tuple(
        Client(f"{context}-{number + 1}", programs[number::fibers], principal=principal)
        for context, programs in asked.items()
        for number in range(min(fibers, len(programs)))
    )


def _handlers(source: App | Context[Any, Any] | Iterable[Handler]) -> list[Handler]:
    if isinstance(source, App):
        source.build()  # imports the modules that its contexts name
        return [each for binding in source.bindings for each in _handlers(binding.context)]
    return [*source.commands, *source.queries] if isinstance(source, Context) else list(source)
