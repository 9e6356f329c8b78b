"""The processes under test, seen from the driver: born, asked, troubled, killed, born again.

Knows how to talk to the nursery and to a worker. What is asked and who is killed is decided elsewhere.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final, final

from anyio import (
    BrokenResourceError,
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    Event,
    Lock,
    connect_unix,
    create_task_group,
    fail_after,
    move_on_after,
    open_process,
)
from anyio.abc import Process, SocketStream, TaskGroup
from anyio.streams.text import TextReceiveStream
from attrs import asdict, define, field, frozen

from tests.chaos.ledger import Ledger
from tests.chaos.plan import DOORS, Cell, Slot
from tests.chaos.worker import Settings

ROOT: Final = Path(__file__).parents[2]
ANSWER: Final = 60.0
"""Seconds after which a worker that lives and does not answer is at fault."""
ENOUGH: Final = 10
"""Unexplained ends of workers after which a run is given up."""
Reply = dict[str, Any]  # edge: JSON
_GONE: Final = (BrokenResourceError, ClosedResourceError, EndOfStream, OSError)


@define(eq=False)
class Worker:
    """One process, from its birth to its end; `replaced` when the next in its slot has been asked for.

    `mail` holds the callers that wait for an answer, by payment.
    """

    slot: Slot
    settings: Settings
    stream: SocketStream
    pen: Lock = field(factory=Lock)
    pid: int = 0
    status: int = 0
    born: Event = field(factory=Event)
    ready: Event = field(factory=Event)
    armed: Event = field(factory=Event)
    stopping: Event = field(factory=Event)
    dead: Event = field(factory=Event)
    gone: Event = field(factory=Event)
    replaced: Event = field(factory=Event)
    mail: dict[str, tuple[Event, list[Reply]]] = field(factory=dict)

    async def ask(self, payment: str, **facts: Any) -> Reply | None:
        """Have a payment taken and return what the worker says of it; None if it is gone and says nothing any more."""
        if self.gone.is_set():
            return None
        answered, replies = self.mail[payment] = (Event(), [])
        await self.tell(take=payment, **facts)
        with move_on_after(ANSWER):
            await answered.wait()
            return replies[0] if replies else None
        return {"defect": f"no answer within {ANSWER:g} s by {self.settings.name}"}

    async def order(self, point: str, nth: int, *, delay: int = 0, stops: bool = False) -> None:
        """Tell the worker where to die or to stop, and wait until it knows."""
        self.armed, self.stopping = Event(), Event()
        await self.tell(order=point, nth=nth, delay=delay, stops=stops)
        await any_of(self.gone, self.armed)

    def signal(self, number: signal.Signals) -> None:
        """Kill it from outside, stop it or let it go on."""
        if self.pid and not self.dead.is_set():
            with suppress(ProcessLookupError):  # it died by itself a moment ago
                os.kill(self.pid, number)

    async def end(self) -> None:
        """End its input: it drains and leaves."""
        async with self.pen:
            with suppress(*_GONE):
                await self.stream.send_eof()

    async def tell(self, **facts: Any) -> None:
        """Send it one line; nobody is told when it is gone."""
        async with self.pen:
            with suppress(*_GONE):
                await self.stream.send(f"{json.dumps(facts)}\n".encode())

    async def listen(self) -> None:
        """Hand on what it says until it is gone, then tell everybody who still waits."""
        rest = ""
        with suppress(*_GONE):
            async for text in TextReceiveStream(self.stream):
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    self._heard(json.loads(line))
        await self.dead.wait()
        self.gone.set()
        await self.stream.aclose()
        for answered, _ in self.mail.values():
            answered.set()
        self.mail.clear()

    def _heard(self, said: Reply) -> None:
        if "ready" in said:
            self.ready.set()
        elif "armed" in said:
            self.armed.set()
        elif "stopping" in said:
            self.stopping.set()
        elif said["taken"] in self.mail:
            answered, replies = self.mail.pop(said["taken"])
            replies.append(said)
            answered.set()


async def any_of(*events: Event) -> None:
    """Wait until one of these has come."""
    async with create_task_group() as group:
        for event in events:
            group.start_soon(_first, event, group)


async def _first(event: Event, group: TaskGroup) -> None:
    await event.wait()
    group.cancel_scope.cancel()


class FleetLost(Exception):
    """Report workers that end again and again without being killed: there is nothing to be judged."""

    def __init__(self, trouble: Sequence[str]) -> None:
        super().__init__(*trouble)

    def __str__(self) -> str:
        return "\n".join(("Workers end without being killed. Look at what they said:", *self.args))


@frozen(kw_only=True)
class Order:
    """What a fleet is: its shape, where its files are, its chance, and how the library is broken, if it is.

    `newer`: its workers are of the library's next version, which changes the library's own schema.
    """

    cell: Cell
    folder: Path
    seed: int
    sabotage: str | None = None
    newer: bool = False


@final
@define(eq=False)
class Fleet:
    """A worker in each slot, born again whenever it is killed. `trouble`: what no kill explains.

    `clock`: seconds that all clocks are ahead. `schema`: how many changes of the schema a new worker knows. `first`:
    what the next worker of a slot is told to die of while it migrates.
    """

    order: Order
    ledger: Ledger
    nursery: Process
    group: TaskGroup
    chance: Random
    workers: dict[Slot, Worker] = field(factory=dict)
    named: dict[str, Worker] = field(factory=dict)
    first: dict[Slot, tuple[int, int]] = field(factory=dict)
    trouble: list[str] = field(factory=list)
    starts: int = 0
    clock: float = 0.0
    schema: int = 0
    closing: bool = False

    async def start(self, slot: Slot) -> Worker:
        """Have a worker born; it is not ready yet."""
        self.starts += 1
        die = self.first.pop(slot, None)
        settings = Settings(
            role=slot.role,
            name=f"{slot.role}-{self.starts}",
            number=self.starts,
            folder=str(self.order.folder),
            commits=self.chance.choice(("adaptive", "thread", "inline")),
            engine=self.chance.choice(("asyncio", "trio")),
            sabotage=self.order.sabotage,
            newer=self.order.newer,
            files=self.order.cell.files,
            clock=self.clock,
            schema=self.schema + (die is not None),
            die=die,
        )
        stream = await connect_unix(_door(self.order.folder))
        worker = self.workers[slot] = self.named[settings.name] = Worker(slot, settings, stream)
        await stream.send(f"{json.dumps(asdict(settings))}\n".encode())
        self.group.start_soon(self._watch, worker)
        return worker

    async def hear(self, opened: Event) -> None:
        """Take down births and deaths until the nursery is gone."""
        assert self.nursery.stdout is not None  # it was opened with a pipe
        rest = ""
        async for text in TextReceiveStream(self.nursery.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                self._told(json.loads(line), opened)
        for worker in self.named.values():
            worker.dead.set()

    def _told(self, said: Reply, opened: Event) -> None:
        match said:
            case {"born": name, "pid": pid}:
                self.named[name].pid = pid
                self.named[name].born.set()
            case {"dead": name, "status": status}:
                worker = self.named.pop(name)
                worker.status = status
                worker.dead.set()
            case _:
                opened.set()

    async def _watch(self, worker: Worker) -> None:
        await worker.listen()
        name = worker.settings.name
        for path in self.order.folder.glob(f"*@{worker.settings.number}"):
            path.unlink(missing_ok=True)  # nobody listens there any more
        if worker.status == -signal.SIGKILL:
            self.ledger.write("killed", worker=name, role=worker.slot.role, engine=worker.settings.engine)
        elif not (self.closing and worker.status == 0):
            lines = [
                line for line in (self.order.folder / f"{name}.err").read_text().splitlines() if line.strip("| +-")
            ]
            self.trouble.append(f"{name} ended with status {worker.status}: {''.join(lines[-1:]).strip(' |')}")
            if len(self.trouble) > ENOUGH:
                raise FleetLost(self.trouble)
        if not self.closing:
            await self.start(worker.slot)
        worker.replaced.set()

    async def alive(self, slot: Slot) -> Worker:
        """Return the worker of a slot that is not gone; it may still be starting."""
        while (worker := self.workers[slot]).gone.is_set():
            await worker.replaced.wait()
        await worker.born.wait()
        return worker

    async def ready(self, slot: Slot) -> Worker:
        """Return the worker of a slot as soon as one is ready."""
        while not (worker := await self.alive(slot)).ready.is_set():
            await any_of(worker.gone, worker.ready)
        return worker

    async def door(self, chance: Random) -> Worker:
        """Return a worker that takes payments, as soon as one is ready."""
        doors = [worker for slot, worker in self.workers.items() if slot.role in DOORS]
        ready = [worker for worker in doors if worker.ready.is_set() and not worker.gone.is_set()]
        return chance.choice(ready) if ready else await self.ready(chance.choice(doors).slot)

    async def set_clocks(self, ahead: float) -> None:
        """Set all clocks, also those of workers to come."""
        self.clock = ahead
        for worker in list(self.workers.values()):
            await worker.tell(clock=ahead)

    async def end(self, *, within: float) -> None:
        """Let all drain and leave; who does not in time is trouble, and killed."""
        self.closing = True
        for worker in self.workers.values():
            await worker.end()
        try:
            with fail_after(within):
                for worker in self.workers.values():
                    await worker.gone.wait()
        except TimeoutError:
            late = [each for each in self.workers.values() if not each.gone.is_set()]
            self.trouble += [f"{each.settings.name} did not end within {within:g} s" for each in late]
            for each in late:
                each.signal(signal.SIGKILL)


def _door(folder: Path) -> Path:
    return folder / "nursery"


@asynccontextmanager
async def fleet(order: Order, ledger: Ledger) -> AsyncIterator[Fleet]:
    """Have one worker born for each slot; leaving kills whoever is still there."""
    command = [sys.executable, "-m", "tests.chaos.nursery", str(_door(order.folder))]
    with (order.folder / "nursery.err").open("wb") as errors:
        nursery = await open_process(command, stdin=subprocess.PIPE, stderr=errors, cwd=ROOT)
    async with nursery, create_task_group() as group:
        found = Fleet(order, ledger, nursery, group, Random(f"fleet {order.seed}"))
        opened = Event()
        group.start_soon(found.hear, opened)
        try:
            with fail_after(ANSWER):
                await opened.wait()
            for slot in order.cell.slots:
                await found.start(slot)
            yield found
        finally:
            found.closing = True
            assert nursery.stdin is not None  # it was opened with a pipe
            # Shielded: whoever still lives is killed by it, also while we are being cancelled.
            with CancelScope(shield=True):
                await nursery.stdin.aclose()
