"""The shop of the kill test, for tests that deal one blow at a time: real processes, or applications in this one.

Waiting is for what the files say, never for a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, final

from anyio import fail_after, sleep
from attrs import define

from effect_runtime import App
from tests.chaos.body import Body
from tests.chaos.cures import Sickness
from tests.chaos.driver import at_rest
from tests.chaos.failpoints import Failpoints
from tests.chaos.fleet import Fleet, Order, Reply, Worker, fleet
from tests.chaos.ledger import Ledger, Line, read_ledger
from tests.chaos.oracle import Verdict, arrived, gather, judge
from tests.chaos.plan import Cell, Slot
from tests.chaos.worker import Settings, shop

PATIENCE: Final = 60.0
"""Seconds after which what was waited for is taken never to come."""


@final
@define(eq=False)
class Shop:
    """Real processes with their files, and the ledger of whoever pays."""

    fleet: Fleet
    ledger: Ledger
    folder: Path

    async def pay(self, worker: Worker, payment: str, account: str = "a") -> Reply | None:
        """Have a payment taken; an acknowledged one is written down."""
        reply = await worker.ask(payment, account=account, refused=False, sickness=Sickness.NONE.value)
        if reply is not None and "number" in reply:
            self.ledger.write("acknowledged", payment=payment, number=reply["number"])
        return reply

    async def ready(self, slot: Slot) -> Worker:
        """Return the worker of a slot as soon as it is ready."""
        return await self.fleet.ready(slot)

    async def all_ready(self) -> None:
        """Wait until everybody is."""
        for slot in self.fleet.order.cell.slots:
            await self.fleet.ready(slot)

    async def arrived(self, *payments: str) -> None:
        """Wait until payments have come all the way."""
        await until(lambda: arrived(self.folder) >= set(payments))

    def lines(self, kind: str) -> list[Line]:
        """Return what all processes have written down of a kind."""
        return [line for line in read_ledger(self.folder) if line["kind"] == kind]


@asynccontextmanager
async def processes(folder: Path, cell: Cell, **order: Any) -> AsyncIterator[Shop]:
    """Open a shop of several processes; leaving waits until all is at rest, lets them leave, and closes it."""
    ledger = Ledger(folder, "driver")
    async with fleet(Order(cell=cell, folder=folder, seed=1, **order), ledger) as found:
        shop = Shop(found, ledger, folder)
        await shop.all_ready()
        yield shop
        await shop.all_ready()
        await at_rest(folder, within=PATIENCE)
        await found.end(within=PATIENCE)
    ledger.close()


def verdict(folder: Path, *, trouble: tuple[str, ...] = ()) -> Verdict:
    """Say what is wrong with what files and ledgers hold. Nobody may be writing any more."""
    return judge(gather(folder, trouble=trouble))


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; raises `TimeoutError` when it will not be."""
    with fail_after(PATIENCE):
        while not is_so():
            await sleep(0.02)


def an_app(folder: Path, name: str, body: Body, **settings: Any) -> tuple[App, Ledger]:
    """Describe a whole shop that runs in this process, and the ledger of its handlers."""
    ledger = Ledger(folder, name)
    told = Settings(role="whole", name=name, folder=str(folder), commits="adaptive", **settings)
    return shop(told, ledger, Failpoints(ledger), body), ledger
