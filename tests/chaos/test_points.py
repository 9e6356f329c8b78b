"""The failpoints lie where they say: what other processes could read at each of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from attrs import frozen

from effect_runtime import App
from tests.chaos.cures import Sickness, cure
from tests.chaos.failpoints import POINTS, Failpoints
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Account, PaymentId, TakePayment, take_payment
from tests.chaos.worker import Settings, shop

pytestmark = pytest.mark.anyio


@frozen
class Seen:
    """What is committed: payments with their outbox rows, inbox rows of the book with its postings, accepted events.

    `letters` are the dead ones.
    """

    payments: int = 0
    outbox: int = 0
    inbox: int = 0
    postings: int = 0
    accepted: int = 0
    letters: int = 0


class Observer(Failpoints):
    """Points that nobody dies at: what others could see there is written down each time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Ledger(folder, "observer"))
        self.folder = folder
        self.seen: dict[str, list[Seen]] = {}

    def passed(self, point: str) -> None:
        """Look."""
        self.seen.setdefault(point, []).append(
            Seen(
                payments=self._count("till.db", "payment"),
                outbox=self._count("till.db", "er_outbox"),
                inbox=self._count("book.db", "er_inbox"),
                postings=self._count("book.db", "posting"),
                accepted=self._count("till.db", "er_lane", "coalesce(sum(last), 0)"),
                letters=self._count("till.db", "er_dead WHERE state = 'dead'")
                + self._count("book.db", "er_dead WHERE state = 'dead'"),
            )
        )

    def _count(self, name: str, table: str, what: str = "count(*)") -> int:
        with closing(sqlite3.connect(self.folder / name)) as file:
            try:
                count: int = file.execute(f"SELECT {what} FROM {table}").fetchone()[0]
            except sqlite3.OperationalError:
                return 0  # it has no tables yet
            return count


def observed_shop(folder: Path, commits: Literal["adaptive", "thread", "inline"]) -> tuple[App, Observer]:
    """Return a whole shop, and who looks at its files."""
    points = Observer(folder)
    settings = Settings(role="whole", name="whole", folder=str(folder), commits=commits)
    return shop(settings, Ledger(folder, "whole"), points), points


@pytest.mark.parametrize("commits", ["adaptive", "inline", "thread"])
async def test_each_point_lies_where_it_says(tmp_path: Path, commits: Literal["adaptive", "thread", "inline"]) -> None:
    """Nothing is visible before COMMIT, all of it after; nothing is marked as accepted before the book commits."""
    app, points = observed_shop(tmp_path, commits)
    async with app.running():
        await app.run(take_payment(TakePayment(PaymentId("p"), Account("a"))), command_id="p")
        await app.settled()
    taken = Seen(payments=1, outbox=1)
    posted = Seen(payments=1, outbox=1, inbox=1, postings=1)
    marked = Seen(payments=1, outbox=1, inbox=1, postings=1, accepted=1)
    expected = dict.fromkeys(("F1", "F2", "F3", "F16"), Seen())
    expected |= dict.fromkeys(("F4", "F5", "F6", "F7", "F10", "F11", "F12"), taken)
    expected |= dict.fromkeys(("F13", "F8"), posted) | {"F9": marked}
    assert {point: seen[0] for point, seen in points.seen.items()} == expected
    assert set(points.seen) == set(POINTS) - {"F14", "F15"}


@pytest.mark.parametrize("sickness", [Sickness.BOOK, Sickness.WIRE])
async def test_the_move_to_the_dead_letters_and_back_has_a_point(tmp_path: Path, sickness: Sickness) -> None:
    """F14 lies before the letter is committed, and again before its replay is."""
    app, points = observed_shop(tmp_path, "adaptive")
    async with app.running():
        await app.run(take_payment(TakePayment(PaymentId("p"), Account("a"), sickness=sickness)), command_id="p")
        while not (letters := await app.dead_letters.list()):
            await app.settled()
        cure(tmp_path, "p")
        await app.dead_letters.replay(letters[0].id)
        await app.settled()
    taken = Seen(payments=1, outbox=1)
    accepted = int(sickness is Sickness.BOOK)  # by a subscription that keeps it as a dead letter
    assert points.seen["F14"] == [taken, Seen(payments=1, outbox=1, letters=1, accepted=accepted, inbox=accepted)]
    assert points._count("till.db", "receipt") == 1
