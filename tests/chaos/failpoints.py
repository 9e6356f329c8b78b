"""Named points at which a worker kills itself, when it has been told to.

Knows how to die: no clean-up, no goodbye. Where the points lie is said in `wounds`, `shop` and `wire`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
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
        "F6": "after lanes were claimed",
        "F7": "after a message was published, before it is confirmed",
        "F8": "after it was confirmed, before that is recorded",
        "F9": "in the middle of recording a batch",
        "F10": "after a message was received, before its inbox row",
        "F11": "after the inbox row, before the handler's work",
        "F12": "after the handler's row, before its commit",
        "F13": "after the handler's commit, before the acknowledgement",
    }
)


@final
@frozen
class Order:
    """Die at the `nth` time that `point` is passed; `delay` later, with the process going on meanwhile."""

    point: str
    nth: int = 1
    delay: timedelta = timedelta(0)


class Failpoints:
    """The points of one process, and the order that it has been given. Passing a point without an order is free."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._order: Order | None = None
        self._passed = 0

    def arm(self, order: Order) -> None:
        """Take an order; a former one is forgotten."""
        self._order, self._passed = order, 0

    def passed(self, point: str) -> None:
        """Say that the process is at `point`: it may not return."""
        order = self._order
        if order is None or order.point != point:
            return
        self._passed += 1
        if self._passed < order.nth:
            return
        self._order = None
        self._ledger.write("dying", point=point)
        if order.delay:
            Thread(target=_die, args=(order.delay,), daemon=True).start()
        else:
            _die(order.delay)


def _die(after: timedelta) -> NoReturn:
    time.sleep(after.total_seconds())
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("SIGKILL did not arrive")  # unreachable
