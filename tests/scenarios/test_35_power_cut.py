"""Scenario 35: the power is cut, and with it goes everything that was written and not synced.

Observable: with `synchronous = FULL` every acknowledged commit survives; with NORMAL it does not, and the oracle sees
that. The shop runs on a disk of `apsw` whose power can be cut; what is left is opened by the store as it is shipped.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from anyio import create_task_group

from effect_runtime import App
from tests.chaos.body import Body, SteppedTime
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import Verdict
from tests.chaos.shop import Account, PaymentId, TakePayment, take_payment
from tests.scenarios.power import PowerDisk, PowerMedium
from tests.scenarios.shop import an_app, verdict

pytestmark = pytest.mark.anyio

CUTS = 2
Sync = Literal["FULL", "NORMAL"]


async def pay(app: App, ledger: Ledger, customer: int, payments: int) -> None:
    """Have payments taken one after the other, and write down what was answered."""
    for number in range(payments):
        payment = PaymentId(f"{customer}-{number}")
        told = await app.run(take_payment(TakePayment(payment, Account(f"account-{number % 3}"))), command_id=payment)
        ledger.write("acknowledged", payment=payment, number=told)


async def lived_through(folder: Path, files: int, sync: Sync, cuts: Path, *, luck: Random | None) -> list[Path]:
    """Let customers pay, and cut the power at some moments in between; return what each cut has left."""
    disk = PowerDisk(f"power {folder.name}")
    app, ledger = an_app(folder, "whole", Body(medium=PowerMedium(disk, sync)), files=files)
    left: list[Path] = []

    async def cut_now_and_then() -> None:
        for moment in range(CUTS):
            await pay(app, ledger, 100 + moment, 3)
            left.append(cuts / f"cut {moment}")
            left[-1].mkdir(parents=True)
            disk.cut(left[-1], luck=luck)
            for file in folder.glob("*.jsonl"):
                (left[-1] / file.name).write_bytes(file.read_bytes())

    async with app.running(), create_task_group() as group:
        for customer in range(2):
            group.start_soon(pay, app, ledger, customer, 6)
        group.start_soon(cut_now_and_then)
    ledger.close()
    return left


async def recovered(folder: Path, files: int) -> Verdict:
    """Open what a cut has left, let it come to rest, and judge it by what had been acknowledged before the cut."""
    # An hour later: what was due soon is due, and what was borrowed is not any more.
    app, ledger = an_app(folder, "after", Body(SteppedTime(timedelta(hours=1))), files=files)
    async with app.running():
        await app.settled()
    ledger.close()
    for file in folder.glob("*.db"):
        with closing(sqlite3.connect(file)) as found:
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return verdict(folder)


@pytest.mark.parametrize("luck", [None, 1], ids=["none of it", "some of it"])
@pytest.mark.parametrize("files", [1, 2])
async def test_scenario_35_what_was_acknowledged_survives_a_power_cut(
    tmp_path: Path, files: int, luck: int | None
) -> None:
    """Whatever sectors the disk had written by then: nothing lost, no ghost, each effect once and in order."""
    (tmp_path / "alive").mkdir()
    chance = None if luck is None else Random(luck)
    left = await lived_through(tmp_path / "alive", files, "FULL", tmp_path, luck=chance)
    assert [await recovered(folder, files) for folder in left] == [Verdict()] * CUTS


async def test_scenario_35_with_less_than_full_syncs_the_oracle_sees_the_loss(tmp_path: Path) -> None:
    """With NORMAL the log is not synced at a commit: callers were told of payments that are gone."""
    (tmp_path / "alive").mkdir()
    left = await lived_through(tmp_path / "alive", 1, "NORMAL", tmp_path, luck=None)
    lost = [name for folder in left for name in (await recovered(folder, 1)).lost]
    assert [name for name in lost if name.startswith("acknowledged")] != []
