"""One run: customers pay without pause, processes die as planned, then all comes to rest and is judged.

The driver's ledger is the only witness of what callers were told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final, final

from anyio import create_task_group, move_on_after, sleep
from attrs import define, field, frozen

from tests.chaos.fleet import Fleet, fleet
from tests.chaos.ledger import Ledger, read_ledger
from tests.chaos.oracle import Recovery, Verdict, gather, judge, progress, recovery, stuck_rows
from tests.chaos.plan import ALL, RANDOM, Kill, planned

CUSTOMERS: Final = 8
ACCOUNTS: Final = 60
DRAIN: Final = 30.0
"""Seconds that a worker may take to leave."""


@frozen(kw_only=True)
class Settings:
    """What is to be done. `points` narrows the plan; `patience`: seconds until what does not come to rest is stuck."""

    kills: int
    seed: int
    points: Sequence[str] = ()
    sabotage: str | None = None
    patience: float = 60.0


@frozen(kw_only=True)
class Result:
    """What a run has shown. `points` counts the kills by where they came true; `deaths` counts dead processes."""

    settings: Settings
    verdict: Verdict
    recovery: Recovery
    quiet: float
    seconds: float
    acknowledged: int
    unknown: int
    refused: int
    handled: int
    deaths: int
    points: Mapping[str, int]


@final
@define(eq=False)
class Customers:
    """The load: payments one after the other, each under an id of its own, asked again until its fate is known.

    One in eight gives up when it is left without an answer: whatever became of it must be whole.
    """

    fleet: Fleet
    ledger: Ledger
    seed: int
    closed: bool = False
    trouble: list[str] = field(factory=list)

    async def pay(self, number: int) -> None:
        """Be one customer until the shop is closed."""
        chance = Random(f"customer {self.seed} {number}")
        count = 0
        while not self.closed:
            count += 1
            await self._pay_once(f"{number}-{count}", chance)
            await sleep(chance.expovariate(20))

    async def _pay_once(self, payment: str, chance: Random) -> None:
        # A few accounts take most of the payments: keys with a queue and keys without.
        account = f"account-{int(ACCOUNTS * chance.random() ** 2)}"
        refused, gives_up = chance.random() < 0.1, chance.random() < 0.125
        while True:
            worker = await self.fleet.door(chance)
            reply = await worker.ask(payment, account, refused=refused)
            if reply is not None and "again" not in reply:
                break
            if gives_up:
                self.ledger.write("unknown", payment=payment)
                return
        if "defect" in reply:
            self.trouble.append(f"{payment} was answered {reply['defect']}")
        elif reply.get("refused"):
            self.ledger.write("refused", payment=payment)
        else:
            self.ledger.write("acknowledged", payment=payment, number=reply["number"])
        if chance.random() < 0.1:
            await self._ask_again(payment, account, refused, reply, chance)

    async def _ask_again(self, payment: str, account: str, refused: bool, told: object, chance: Random) -> None:
        """Ask for what is known already: the answer must be the same."""
        reply = await (await self.fleet.door(chance)).ask(payment, account, refused=refused)
        if reply is not None and "again" not in reply and reply != told:
            self.trouble.append(f"{payment} was answered {told}, then {reply}")


async def execute(plan: Sequence[Kill], fleet: Fleet) -> Counter[str]:
    """Kill as planned, and return where it came true: an order that comes to nothing ends in a random kill."""
    points: Counter[str] = Counter()
    for kill in plan:
        await sleep(kill.pause.total_seconds())
        worker = fleet.workers[kill.role]
        if kill.point in (RANDOM, ALL):
            for each in list(fleet.workers.values()) if kill.point == ALL else [worker]:
                each.kill()
            points[kill.point] += 1
        else:
            await fleet.until_ready(worker)
            await worker.order(kill.point, kill.nth, int(kill.delay.total_seconds() * 1_000_000))
            points[kill.point] += 1
            with move_on_after(10) as scope:
                await worker.gone.wait()
            if scope.cancelled_caught:
                worker.kill()
                points[kill.point] -= 1
                points["not reached"] += 1
        await worker.gone.wait()
    return +points


async def at_rest(folder: Path, *, within: float) -> float:
    """Wait until nothing waits and nothing has changed for a while; return after how many seconds it was so."""
    began = time.monotonic()
    seen: object = None
    since = began
    while time.monotonic() - began < within:
        now = (progress(folder), stuck_rows(folder))
        if now != seen:
            seen, since = now, time.monotonic()
        elif not now[1] and time.monotonic() - since > 0.75:
            break
        await sleep(0.1)
    return since - began


async def rampage(settings: Settings, folder: Path) -> Result:
    """Do one run in an empty folder."""
    began = time.monotonic()
    ledger = Ledger(folder, "driver")
    async with fleet(folder, ledger, settings.seed, settings.sabotage) as found:
        customers = Customers(found, ledger, settings.seed)
        async with create_task_group() as group:
            for number in range(CUSTOMERS):
                group.start_soon(customers.pay, number)
            points = await execute(planned(settings.seed, settings.kills, settings.points), found)
            customers.closed = True
        for worker in list(found.workers.values()):
            await found.until_ready(worker)
        quiet = await at_rest(folder, within=settings.patience)
        await found.end(within=DRAIN)
    ledger.close()
    lines = tuple(read_ledger(folder))
    kinds = Counter(line["kind"] for line in lines)
    return Result(
        settings=settings,
        verdict=judge(gather(folder, trouble=(*found.trouble, *customers.trouble))),
        recovery=recovery(lines),
        quiet=round(quiet, 3),
        seconds=round(time.monotonic() - began, 1),
        acknowledged=kinds["acknowledged"],
        unknown=kinds["unknown"],
        refused=kinds["refused"],
        handled=kinds["handled"],
        deaths=found.deaths,
        points=dict(sorted(points.items())),
    )
