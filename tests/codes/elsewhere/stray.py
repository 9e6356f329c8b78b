"""A module with one handler of a context that it is given."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from effect_runtime import Eff, succeed


@frozen
class Stray:
    """A command."""

    name: str


def register(context: Any) -> None:
    """Register a handler that is defined here."""
    context.command(access="public")(handle)


def handle(command: Stray) -> Eff[None]:
    """Do nothing."""
    return succeed(None)
