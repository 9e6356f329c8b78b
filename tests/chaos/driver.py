"""One round: customers pay without pause, blows fall as planned, then all comes to rest and is judged.

The driver's ledger is the only witness of what callers were told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from anyio import create_task_group, fail_after, sleep
from attrs import Factory, field, frozen

from tests.chaos.blows import Blows
from tests.chaos.customers import Customers
from tests.chaos.failpoints import POINTS
from tests.chaos.fleet import Fleet, Order, fleet
from tests.chaos.ledger import Ledger, Line, read_ledger
from tests.chaos.oracle import Verdict, gather, judge, progress, stuck_rows
from tests.chaos.plan import Blow, Cell, Kill, planned

CUSTOMERS: Final = 6
WAVE: Final = 20
"""Kills between two pauses in which the system must recover under load."""
HANGS: Final = 240.0
"""Seconds, beside ten for each kill, after which a round is taken to hang."""
DRAIN: Final = 30.0
"""Seconds that a worker may take to leave."""
CALM: Final = 0.5
"""Seconds without any change after which nothing is taken to move any more."""


@frozen(kw_only=True)
class Settings:
    """What is to be done in one round.

    `points` narrows the plan; the fewer `accounts`, the more each is paid into; `sick` is the share of payments that
    become dead letters; `patience`: seconds until what does not come to rest is stuck.
    """

    kills: int
    seed: int
    cell: Cell = field(factory=Cell)
    points: Sequence[str] = ()
    sabotage: str | None = None
    accounts: int = 40
    sick: float = 0.06
    patience: float = 60.0


@frozen(kw_only=True)
class Counts:
    """How much has happened, by the ledger.

    `unavailable`: how often a customer was asked to come again. `received` counts messages that came to a
    subscription, `duplicates` those that had come before: allowed, absorbed.
    `handled` counts the runs of handlers, also those whose transaction died with them. `stale`: settlements of relays
    whose lanes had been lent on, refused. `letters`: dead letters that were cured and replayed. `deaths` counts
    processes, `points` where they died: "outside" is from outside, at a random moment.
    """

    acknowledged: int
    unknown: int
    refused: int
    unavailable: int
    received: int
    duplicates: int
    handled: int
    stale: int
    letters: int
    deaths: int
    engines: Mapping[str, int]
    points: Mapping[str, int]


@frozen(kw_only=True)
class Result:
    """What a round has shown. `missed`: orders to die at a point that was not reached in time, killed from outside.

    `dealt`: what fell on the fleet beside the kills. `recovery`: for each wave, the seconds from its last blow, the
    load going on, until every payment acknowledged by then had come all the way. `quiet`: seconds from the last answer
    to a customer until nothing moved any more.
    """

    settings: Settings
    verdict: Verdict
    recovery: tuple[float, ...]
    counts: Counts
    dealt: Mapping[str, int]
    missed: int
    quiet: float
    seconds: float

    is_clean: bool = field(init=False, default=Factory(lambda self: self.verdict == Verdict(), takes_self=True))


async def play(settings: Settings, folder: Path) -> Result:
    """Play one round in an empty folder; raises `TimeoutError` if it hangs."""
    began = time.monotonic()
    ledger = Ledger(folder, "driver")
    order = Order(cell=settings.cell, folder=folder, seed=settings.seed, sabotage=settings.sabotage)
    with fail_after(HANGS + 10 * settings.kills):
        async with fleet(order, ledger) as found:
            customers = Customers(found, ledger, settings.seed, settings.accounts, settings.sick)
            blows = Blows(found)
            async with _aside(customers, folder):
                recovery = await _under_load(settings, blows, customers)
                quiet = await _rested(settings, folder, found)
            await found.end(within=DRAIN)
    ledger.close()
    lines = tuple(read_ledger(folder))
    trouble = (*found.trouble, *customers.trouble, *healthy_letters(lines))
    return Result(
        settings=settings,
        verdict=judge(gather(folder, trouble=trouble)),
        recovery=recovery,
        counts=counted(lines),
        dealt=dict(blows.dealt),
        missed=blows.missed,
        quiet=round(quiet, 3),
        seconds=round(time.monotonic() - began, 1),
    )


@asynccontextmanager
async def _aside(customers: Customers, folder: Path) -> AsyncIterator[None]:
    """Let the operator and whoever looks for receipts go about while entered."""
    async with create_task_group() as group:
        group.start_soon(customers.operate)
        group.start_soon(customers.look, folder)
        yield
        group.cancel_scope.cancel()


async def _under_load(settings: Settings, blows: Blows, customers: Customers) -> tuple[float, ...]:
    """Strike wave after wave while customers pay; return when the last of them knows what became of his payment."""
    recovery: list[float] = []
    plan = planned(settings.seed, settings.kills, settings.cell, settings.points)
    async with create_task_group() as group:
        for number in range(CUSTOMERS):
            group.start_soon(customers.pay, number)
        for wave in waves(plan):
            await blows.deal(wave)
            recovery.append(await recovered(customers, within=settings.patience))
        customers.closed = True
    return tuple(recovery)


def waves(plan: Sequence[Blow]) -> Sequence[Sequence[Blow]]:
    """Cut a plan behind every `WAVE`th kill."""
    found: list[list[Blow]] = [[]]
    for blow in plan:
        if sum(isinstance(each, Kill) for each in found[-1]) == WAVE:
            found.append([])
        found[-1].append(blow)
    return found


async def recovered(customers: Customers, *, within: float) -> float:
    """Wait until every payment that was acknowledged before has come all the way; return how many seconds it took."""
    began, owed = time.monotonic(), frozenset(customers.acknowledged)
    while time.monotonic() - began < within and owed - customers.arrived:
        await sleep(0.1)
    return round(time.monotonic() - began, 2)


async def _rested(settings: Settings, folder: Path, fleet: Fleet) -> float:
    for slot in settings.cell.slots:
        await fleet.ready(slot)
    return await at_rest(folder, within=settings.patience)


async def at_rest(folder: Path, *, within: float) -> float:
    """Wait until nothing waits and nothing has changed for a while; return after how many seconds it was so."""
    began = time.monotonic()
    seen: object = None
    since = began
    while time.monotonic() - began < within:
        now = (progress(folder), stuck_rows(folder))
        if now != seen:
            seen, since = now, time.monotonic()
        elif not now[1] and time.monotonic() - since > CALM:
            break
        await sleep(0.1)
    return since - began


def healthy_letters(lines: Sequence[Line]) -> tuple[str, ...]:
    """Name the events that became dead letters though nothing was wrong with them."""
    return tuple(
        f"{line['payment']} was well and became a dead letter: {line['cause']}"
        for line in lines
        if line["kind"] == "mended" and not line["sick"]
    )


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
        unavailable=kinds["again"],
        received=kinds["received"],
        duplicates=kinds["received"] - len(messages),
        handled=kinds["handled"],
        stale=sum(line["count"] for line in lines if line["kind"] == "stale"),
        letters=kinds["mended"],
        deaths=kinds["killed"],
        engines=dict(Counter(line["engine"] for line in lines if line["kind"] == "killed")),
        points={point: points[point] for point in (*POINTS, "outside") if points[point]},
    )
