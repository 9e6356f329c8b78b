"""A till that does things later, for the tests that kill and multiply its processes: one file, real processes.

`python -m tests.scenarios.later FILE ROLE` runs one of them until its input ends. It says one line of JSON for whatever
a test waits for. `pay` takes payments, a line each; `work` works on the agenda; `both` does both.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final, Never, TypeAlias, final

import anyio
import anyio.to_thread
from anyio.abc import Process
from attrs import define, frozen

from effect_runtime import A, App, Context, Do, DomainEvent, E, Events, Transaction, emit
from effect_runtime.dispatch import Due, EventQueue, send_later, stored
from effect_runtime.outbox import ConsumerPolicy
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.runtime import Clock, operation

ROOT: Final = Path(__file__).parents[2]

TABLES: Final = Migration(
    1,
    "later",
    [
        "CREATE TABLE payment(id TEXT PRIMARY KEY) STRICT",
        "CREATE TABLE thanks(payment TEXT NOT NULL, queue TEXT NOT NULL, count INTEGER NOT NULL,"
        " PRIMARY KEY (payment, queue)) STRICT",
        "CREATE TABLE tick(number INTEGER PRIMARY KEY, count INTEGER NOT NULL, late INTEGER NOT NULL,"
        " process INTEGER NOT NULL) STRICT",
    ],
)


@frozen
@stored("till.paid")
class PaidOccurred(DomainEvent):
    """A payment was taken."""

    payment: str


@frozen
class Pay:
    """Take a payment."""

    payment: str


@frozen
@stored("till.tick")
class Tick:
    """Do something at a moment."""

    number: int
    due: datetime


@frozen
class Plan:
    """Send ticks later, all for one moment."""

    first: int
    count: int
    due: datetime


@frozen
class Rows:
    """The tables of the till."""

    session: SqliteSession

    @operation(kind="transactional")
    async def paid(self, payment: str) -> None:
        """Keep a payment."""
        await self.session.execute("INSERT INTO payment VALUES (?)", (payment,))

    @operation(kind="transactional")
    async def thanked(self, payment: str, queue: str) -> None:
        """Count the thanks for a payment."""
        await self.session.execute(
            "INSERT INTO thanks VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (payment, queue)
        )

    @operation(kind="transactional")
    async def ticked(self, number: int, late: timedelta) -> None:
        """Count a tick, and keep how late it was, in microseconds."""
        await self.session.execute(
            "INSERT INTO tick VALUES (?, 1, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1",
            (number, late // timedelta(microseconds=1), os.getpid()),
        )


class Printer:
    """The world outside: says that it was asked, and may never answer."""

    def __init__(self, *, stuck: bool) -> None:
        self._stuck = stuck

    @operation(kind="external", idempotent=True)
    async def print(self, payment: str) -> None:
        """Print thanks."""
        say(printing=payment)
        if self._stuck:
            await anyio.sleep_forever()


@frozen
class TillRuntime:
    """What a till may use."""

    rows: Rows
    events: Events
    due: Due
    clock: Clock


Till: TypeAlias = Do[A, E, TillRuntime]


def say(**line: object) -> None:
    """Tell the test."""
    print(json.dumps(line), flush=True)


def till_app(file: Path, printer: Printer) -> tuple[App, Any, Any]:
    """Build the application, and its two commands for the outside."""
    till: Context[TillRuntime, Never] = Context("till", TillRuntime)

    @till.command(access="public")
    def pay(command: Pay) -> Till[None]:
        rt = yield from till.runtime
        yield from rt.rows.paid(command.payment)
        yield from emit(PaidOccurred(command.payment))

    @till.command(access="public")
    def plan(command: Plan) -> Till[None]:
        for number in range(command.first, command.first + command.count):
            yield from send_later(Tick(number, command.due), due=command.due)

    @till.command(access="internal")
    def tick(command: Tick) -> Till[None]:
        rt = yield from till.runtime
        now = yield from rt.clock.now()
        yield from rt.rows.ticked(command.number, now - command.due)

    for queue in (EventQueue("kept"), EventQueue("lost", durable=False)):
        thanking(till, queue, printer)
    store = SqliteStore(file, migrations=[TABLES])
    binding = till.bind(lambda tx: make_till(tx), store=store)
    # A short lease, so that a test need not wait long for what a killed process had borrowed.
    policy = ConsumerPolicy(handle_within=timedelta(seconds=3), lease=timedelta(seconds=4))
    return App("till", contexts=[binding], consumer=policy), pay, plan


def make_till(tx: Transaction[SqliteSession]) -> TillRuntime:
    """Build the runtime of a unit of work."""
    return TillRuntime(Rows(tx.session), tx.events, tx.due, tx.clock)


def thanking(till: Context[TillRuntime, Never], queue: EventQueue, printer: Printer) -> None:
    """Say thanks for each payment, on paper and in the file."""

    @till.after_commit(PaidOccurred, queue=queue, key="payment", id=f"thank-{queue.name}")
    def thank(event: PaidOccurred) -> Till[None]:
        rt = yield from till.runtime
        yield from printer.print(f"{event.payment} {queue.name}")
        yield from rt.rows.thanked(event.payment, queue.name)


async def serve(file: Path, role: str, *, stuck: bool) -> None:
    """Run one process until its input ends."""
    app, pay, plan = till_app(file, Printer(stuck=stuck))
    async with app.running(agenda=role != "pay"):
        say(ready=os.getpid())
        while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            order = json.loads(line)
            if "pay" in order:
                await app.run(pay(Pay(order["pay"])))
                say(paid=order["pay"])
            else:
                due = datetime.fromisoformat(order["due"])
                await app.run(plan(Plan(order["first"], order["count"], due)))
                say(planned=order["first"])


@final
@define(eq=False)
class Worker:
    """One process of the till, as a test sees it."""

    process: Process
    heard: bytes = b""

    async def order(self, **order: object) -> None:
        """Ask for something."""
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(order).encode() + b"\n")

    async def says(self) -> dict[str, Any]:
        """Return what it says next."""
        assert self.process.stdout is not None
        while b"\n" not in self.heard:
            self.heard += await self.process.stdout.receive()
        line, self.heard = self.heard.split(b"\n", 1)
        said: dict[str, Any] = json.loads(line)
        return said

    async def until(self, what: str) -> Any:
        """Return the value of the next line about something."""
        while what not in (said := await self.says()):
            pass
        return said[what]

    async def end(self) -> None:
        """Let it end in order."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        await self.process.wait()


@asynccontextmanager
async def a_process(file: Path, role: str, *, stuck: bool = False) -> AsyncIterator[Worker]:
    """Start a process and wait until it is ready; whatever happens it is dead afterwards."""
    command = [sys.executable, "-m", "tests.scenarios.later", str(file), role, *(["stuck"] if stuck else [])]
    process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, cwd=ROOT)
    try:
        worker = Worker(process)
        await worker.until("ready")
        yield worker
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


def moment(after: timedelta) -> datetime:
    """Return a moment of the machine's clock."""
    return datetime.now(UTC) + after


if __name__ == "__main__":
    anyio.run(lambda: serve(Path(sys.argv[1]), sys.argv[2], stuck="stuck" in sys.argv[3:]))
