"""The failpoints lie where they say: what other processes could read at each of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from attrs import frozen

from tests.chaos.failpoints import POINTS, Failpoints
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Account, PaymentId, TakePayment, take_payment
from tests.chaos.worker import Settings, shop

pytestmark = pytest.mark.anyio


@frozen
class Seen:
    """What is committed: payments with their outbox rows, inbox rows of the book with its postings, accepted events."""

    payments: int = 0
    outbox: int = 0
    inbox: int = 0
    postings: int = 0
    accepted: int = 0


class Observer(Failpoints):
    """Points that nobody dies at: what others could see there is written down, the first time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Ledger(folder, "observer"))
        self.folder = folder
        self.seen: dict[str, Seen] = {}

    def passed(self, point: str) -> None:
        """Look, the first time."""
        if point not in self.seen:
            self.seen[point] = Seen(
                payments=self._count("till.db", "SELECT count(*) FROM payment"),
                outbox=self._count("till.db", "SELECT count(*) FROM er_outbox"),
                inbox=self._count("book.db", "SELECT count(*) FROM er_inbox"),
                postings=self._count("book.db", "SELECT count(*) FROM posting"),
                accepted=self._count("till.db", "SELECT coalesce(sum(last), 0) FROM er_lane"),
            )

    def _count(self, name: str, statement: str) -> int:
        with closing(sqlite3.connect(self.folder / name)) as file:
            count: int = file.execute(statement).fetchone()[0]
            return count


@pytest.mark.parametrize("commits", ["adaptive", "inline", "thread"])
async def test_each_point_lies_where_it_says(tmp_path: Path, commits: Literal["adaptive", "thread", "inline"]) -> None:
    """Nothing is visible before COMMIT, all of it after; nothing is marked as accepted before the book commits."""
    points = Observer(tmp_path)
    app = shop(
        Settings(role="whole", name="whole", folder=str(tmp_path), commits=commits),
        Ledger(tmp_path, "whole"),
        points,
    )
    async with app.running():
        await app.run(take_payment(TakePayment(PaymentId("p"), Account("a"))), command_id="p")
        await app.settled()
    taken = Seen(payments=1, outbox=1)
    posted = Seen(payments=1, outbox=1, inbox=1, postings=1)
    marked = Seen(payments=1, outbox=1, inbox=1, postings=1, accepted=1)
    expected = dict.fromkeys(("F1", "F2", "F3"), Seen())
    expected |= dict.fromkeys(("F4", "F5", "F6", "F7", "F10", "F11", "F12"), taken)
    expected |= dict.fromkeys(("F13", "F8"), posted) | {"F9": marked}
    assert points.seen == expected
    assert set(points.seen) == set(POINTS)
