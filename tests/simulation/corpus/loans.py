"""A desk that lends and tells, for the cases about consumers that are written by hand."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from effect_runtime import Context, Topic, integration_event, publish
from effect_runtime.dispatch import Command
from tests.simulation.corpus.office import Doing, Office, Window, office


class LoanEvents(Topic, name="corpus.loans"):
    """What the desk tells."""

    __slots__ = ()


@frozen
@integration_event("corpus.lent", key="book")
class Lent(LoanEvents):
    """A book was lent."""

    book: str


@frozen
class Lend:
    """Lend a book."""

    book: str


def lending_desk() -> tuple[Context[Office, Window], Command[Lend, None, Any, Office]]:
    """Return a desk and its one command, which publishes what it lends."""
    desk = office("desk", publishes=[LoanEvents])

    @desk.command(access="public")
    def lend(cmd: Lend) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.put("loan", cmd.book, (yield from rt.records.get("loan", cmd.book)) + 1)
        yield from publish(Lent(cmd.book))

    return desk, lend
