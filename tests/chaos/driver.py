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

from anyio import create_task_group, fail_after, move_on_after, sleep
from attrs import define, field, frozen

from tests.chaos.failpoints import POINTS
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.ledger import Ledger, Line, read_ledger
from tests.chaos.oracle import Verdict, arrived, gather, judge, progress, stuck_rows
from tests.chaos.plan import ALL, RANDOM, ROLES, Kill, planned
from tests.chaos.worker import Role

CUSTOMERS: Final = 8
WAVE: Final = 25
"""Kills between two pauses in which the system must recover under load."""
ACCOUNTS: Final = 60
HANGS: Final = 240.0
"""Seconds, beside ten for each kill, after which a run is taken to hang."""
OBEDIENCE: Final = 20.0
"""Seconds within which a worker must come to the point that it was told to die at."""
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
class Counts:
    """How much has happened, by the ledger.

    `received` counts messages that came to a subscription, `duplicates` those that had come before: allowed, absorbed.
    `handled` counts the runs of handlers, also those whose transaction died with them. `deaths` counts processes,
    `points` where they died: "outside" is from outside, at a random moment.
    """

    acknowledged: int
    unknown: int
    refused: int
    received: int
    duplicates: int
    handled: int
    deaths: int
    points: Mapping[str, int]


@frozen(kw_only=True)
class Result:
    """What a run has shown. `missed`: orders to die at a point that was not reached in time, killed from outside.

    `recovery`: for each wave, the seconds from its last kill, the load going on, until every payment acknowledged by
    then had come all the way. `quiet`: seconds from the last answer to a customer until nothing moved any more.
    """

    settings: Settings
    verdict: Verdict
    recovery: tuple[float, ...]
    counts: Counts
    missed: int
    quiet: float
    seconds: float


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
    acknowledged: list[str] = field(factory=list)
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
            self.acknowledged.append(payment)
        if chance.random() < 0.1:
            await self._ask_again(payment, account, refused, reply, chance)

    async def _ask_again(self, payment: str, account: str, refused: bool, told: object, chance: Random) -> None:
        """Ask for what is known already: the answer must be the same."""
        reply = await (await self.fleet.door(chance)).ask(payment, account, refused=refused)
        if reply is not None and "again" not in reply and reply != told:
            self.trouble.append(f"{payment} was answered {told}, then {reply}")


async def execute(plan: Sequence[Kill], fleet: Fleet) -> int:
    """Kill as planned, the roles side by side; return how many orders came to nothing and were made up for."""
    missed = 0

    async def of_one_role(role: Role) -> None:
        nonlocal missed
        for kill in plan:
            if kill.role == role:
                await sleep(kill.pause.total_seconds())
                missed += not await _killed(kill, fleet)

    async with create_task_group() as group:
        for role in ROLES:
            group.start_soon(of_one_role, role)
    return missed


async def recovered(customers: Customers, folder: Path, *, within: float) -> float:
    """Wait until every payment that was acknowledged before has come all the way; return how many seconds it took."""
    began, owed = time.monotonic(), frozenset(customers.acknowledged)
    while time.monotonic() - began < within and owed - arrived(folder):
        await sleep(0.1)
    return round(time.monotonic() - began, 2)


async def _killed(kill: Kill, fleet: Fleet) -> bool:
    """Carry one kill out; False if the worker did not come to its point and was killed from outside."""
    if kill.point in (RANDOM, ALL):
        worker = await fleet.alive(kill.role)
        for each in list(fleet.workers.values()) if kill.point == ALL else [worker]:
            each.kill()
        await worker.gone.wait()
        return True
    worker = await fleet.ready(kill.role)
    await worker.order(kill.point, kill.nth, int(kill.delay.total_seconds() * 1_000_000))
    with move_on_after(OBEDIENCE):
        await worker.gone.wait()
        return True
    worker.kill()
    await worker.gone.wait()
    return False


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


@define
class _Waves:
    missed: int = 0
    recovery: list[float] = field(factory=list)


async def rampage(settings: Settings, folder: Path) -> Result:
    """Do one run in an empty folder; raises `TimeoutError` if it hangs."""
    began = time.monotonic()
    ledger = Ledger(folder, "driver")
    with fail_after(HANGS + 10 * settings.kills):
        async with fleet(folder, ledger, settings.seed, settings.sabotage) as found:
            customers = Customers(found, ledger, settings.seed)
            waves = await _under_load(settings, folder, found, customers)
            for role in ROLES:
                await found.ready(role)
            quiet = await at_rest(folder, within=settings.patience)
            await found.end(within=DRAIN)
    ledger.close()
    lines = tuple(read_ledger(folder))
    return Result(
        settings=settings,
        verdict=judge(gather(folder, trouble=(*found.trouble, *customers.trouble))),
        recovery=tuple(waves.recovery),
        counts=counted(lines),
        missed=waves.missed,
        quiet=round(quiet, 3),
        seconds=round(time.monotonic() - began, 1),
    )


async def _under_load(settings: Settings, folder: Path, fleet: Fleet, customers: Customers) -> _Waves:
    """Kill wave after wave while customers pay; return when the last of them knows what became of his payment."""
    waves = _Waves()
    plan = planned(settings.seed, settings.kills, settings.points)
    async with create_task_group() as group:
        for number in range(CUSTOMERS):
            group.start_soon(customers.pay, number)
        for first in range(0, len(plan), WAVE):
            waves.missed += await execute(plan[first : first + WAVE], fleet)
            waves.recovery.append(await recovered(customers, folder, within=settings.patience))
        customers.closed = True
    return waves


def counted(lines: Sequence[Line]) -> Counts:
    """Count what is on the ledger."""
    kinds = Counter(line["kind"] for line in lines)
    messages = {(line["subscription"], line["event"]) for line in lines if line["kind"] == "received"}
    points = Counter(line["point"] for line in lines if line["kind"] == "dying")
    points["outside"] = kinds["killed"] - points.total()
    return Counts(
        acknowledged=kinds["acknowledged"],
        unknown=kinds["unknown"],
        refused=kinds["refused"],
        received=kinds["received"],
        duplicates=kinds["received"] - len(messages),
        handled=kinds["handled"],
        deaths=kinds["killed"],
        points={point: points[point] for point in (*POINTS, "outside") if points[point]},
    )
