"""Named points at which a worker kills or stops itself, when it has been told to.

Knows how to die: no clean-up, no goodbye. Where the points lie is said in `wounds`, `worker` and `wire`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Thread
from types import MappingProxyType
from typing import Final, NoReturn, final

from attrs import frozen

from tests.chaos.ledger import Ledger

POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "F1": "before the business row is inserted",
        "F2": "after the outbox rows are inserted, before COMMIT",
        "F3": "at COMMIT: shortly before, inside or after it",
        "F4": "after COMMIT, before dispatch hears of it",
        "F5": "after the unit has ended, before the relay is woken",
        "F6": "after lanes, or items of the agenda, were claimed",
        "F7": "after a message was published, before it is confirmed",
        "F8": "after it was confirmed, before that is recorded",
        "F9": "in the middle of recording a batch",
        "F10": "after a message was received, before its inbox row",
        "F11": "after the inbox row, before the handler's work",
        "F12": "after the handler's row, before its commit",
        "F13": "after the handler's commit, before the acknowledgement",
        "F14": "while an event becomes a dead letter, or is replayed",
        "F15": "while it drains on its way out",
        "F16": "while it migrates a file",
    }
)


DRAINING: Final = "F15"
MIGRATING: Final = "F16"


@final
@frozen
class Order:
    """Die at the `nth` time that `point` is passed; `delay` later, with the process going on meanwhile.

    With `stops` the process does not die there: it is stopped until somebody lets it go on.
    """

    point: str
    nth: int = 1
    delay: timedelta = timedelta(0)
    stops: bool = False


class Failpoints:
    """The points of one process, and the order that it has been given. Passing a point without an order is free."""

    def __init__(self, ledger: Ledger, stopping: Callable[[], None] = lambda: None) -> None:
        self._ledger = ledger
        self._stopping = stopping
        self._order: Order | None = None
        self._passed = 0
        self._leaving = False
        self._dying = False

    def arm(self, order: Order) -> None:
        """Take an order; a former one is forgotten."""
        self._order, self._passed = order, 0

    def leave(self) -> None:
        """Say that the process drains: from now on it passes F15 wherever it passes another point."""
        self._leaving = True

    def passed(self, point: str) -> None:
        """Say that the process is at `point`: it may not return."""
        order = self._order
        if order is None or order.point not in (point, DRAINING if self._leaving else point):
            return
        self._passed += 1
        if self._passed >= order.nth:
            self._obey(order)

    def left(self) -> None:
        """Say that the process has drained: who was to die meanwhile, and did not, dies now."""
        if self._dying or (self._order is not None and self._order.point == DRAINING):
            self._obey(Order(DRAINING))

    def _obey(self, order: Order) -> None:
        self._order = None
        if order.stops:
            self._ledger.write("stopping", point=order.point)
            self._stopping()
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if not self._dying:
            self._ledger.write("dying", point=order.point)
        self._dying = True
        if order.delay:
            Thread(target=_die, args=(order.delay,), daemon=True).start()
        else:
            _die(order.delay)


def _die(after: timedelta) -> NoReturn:
    time.sleep(after.total_seconds())
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("SIGKILL did not arrive")  # unreachable
