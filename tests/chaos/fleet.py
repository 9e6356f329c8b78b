"""The processes under test, seen from the driver: started, asked, killed, started again.

Knows how to talk to a worker. What is asked and who is killed is decided elsewhere.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final, final

from anyio import (
    BrokenResourceError,
    ClosedResourceError,
    Event,
    create_task_group,
    fail_after,
    move_on_after,
    open_process,
)
from anyio.abc import Process, TaskGroup
from anyio.streams.text import TextReceiveStream
from attrs import define, field

from tests.chaos.ledger import Ledger
from tests.chaos.plan import DOORS, ROLES
from tests.chaos.worker import Role, Settings

ROOT: Final = Path(__file__).parents[2]
ANSWER: Final = 60.0
"""Seconds after which a worker that lives and does not answer is at fault."""
ENOUGH: Final = 10
"""Unexplained ends of workers after which a run is given up."""
Reply = dict[str, Any]  # edge: JSON


@define(eq=False)
class Worker:
    """One process, from its start to its end; `replaced` when the next of its role has been started.

    `mail` holds the callers that wait for an answer, by payment.
    """

    settings: Settings
    process: Process
    ready: Event = field(factory=Event)
    armed: Event = field(factory=Event)
    gone: Event = field(factory=Event)
    replaced: Event = field(factory=Event)
    mail: dict[str, tuple[Event, list[Reply]]] = field(factory=dict)

    async def ask(self, payment: str, account: str, *, refused: bool) -> Reply | None:
        """Have a payment taken and return what the worker says of it; None if it is gone and says nothing any more."""
        if self.gone.is_set():
            return None
        answered, replies = self.mail[payment] = (Event(), [])
        await self._send(take=payment, account=account, refused=refused)
        with move_on_after(ANSWER):
            await answered.wait()
            return replies[0] if replies else None
        return {"defect": f"no answer within {ANSWER:g} s by {self.settings.name}"}

    async def order(self, point: str, nth: int, delay: int) -> None:
        """Tell the worker where to die, and wait until it knows."""
        self.armed = Event()
        await self._send(die=point, nth=nth, delay=delay)
        async with create_task_group() as group:
            group.start_soon(_first, self.gone, group)
            group.start_soon(_first, self.armed, group)

    def kill(self) -> None:
        """Kill it from outside."""
        # Not `process.kill()`, which would take the exit status away from whoever waits for it.
        if not self.gone.is_set():
            with suppress(ProcessLookupError):  # it died by itself a moment ago
                os.kill(self.process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """End its input: it drains and leaves."""
        if self.process.stdin is not None:
            await self.process.stdin.aclose()

    async def _send(self, **asked: Any) -> None:
        assert self.process.stdin is not None  # it was opened with a pipe
        try:
            await self.process.stdin.send(f"{json.dumps(asked)}\n".encode())
        except (BrokenResourceError, ClosedResourceError, OSError):
            return  # it is gone: whoever waits is told so

    async def listen(self) -> None:
        """Hand on what it says until it is gone, then tell everybody who still waits."""
        assert self.process.stdout is not None  # it was opened with a pipe
        rest = ""
        async for text in TextReceiveStream(self.process.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                self._heard(json.loads(line))
        await self.process.wait()
        self.gone.set()
        for answered, _ in self.mail.values():
            answered.set()
        self.mail.clear()

    def _heard(self, said: Reply) -> None:
        if "ready" in said:
            self.ready.set()
        elif "armed" in said:
            self.armed.set()
        elif said["taken"] in self.mail:
            answered, replies = self.mail.pop(said["taken"])
            replies.append(said)
            answered.set()


async def _first(event: Event, group: TaskGroup) -> None:
    await event.wait()
    group.cancel_scope.cancel()


class FleetLost(Exception):
    """Report workers that end again and again without being killed: there is nothing to be judged."""

    def __init__(self, trouble: Sequence[str]) -> None:
        super().__init__(*trouble)

    def __str__(self) -> str:
        return "\n".join(("Workers end without being killed. Look at what they said:", *self.args))


@final
@define(eq=False)
class Fleet:
    """One worker of each role, started again whenever it is killed. `trouble`: what no kill explains."""

    folder: Path
    ledger: Ledger
    chance: Random
    sabotage: str | None
    group: TaskGroup
    workers: dict[Role, Worker] = field(factory=dict)
    trouble: list[str] = field(factory=list)
    deaths: int = 0
    starts: int = 0
    closing: bool = False

    async def start(self, role: Role) -> Worker:
        """Start a worker; it is not ready yet."""
        self.starts += 1
        settings = Settings(
            role=role,
            name=f"{role}-{self.starts}",
            folder=str(self.folder),
            commits=self.chance.choice(("adaptive", "thread", "inline")),
            engine=self.chance.choice(("asyncio", "trio")),
            sabotage=self.sabotage,
        )
        with (self.folder / f"{settings.name}.err").open("wb") as errors:
            process = await open_process(settings.command(), stdin=subprocess.PIPE, stderr=errors, cwd=ROOT)
        worker = self.workers[role] = Worker(settings, process)
        self.group.start_soon(self._watch, worker)
        return worker

    async def _watch(self, worker: Worker) -> None:
        await worker.listen()
        role, name, status = worker.settings.role, worker.settings.name, worker.process.returncode
        if status == -signal.SIGKILL:
            self.deaths += 1
            self.ledger.write("killed", worker=name)
        elif not (self.closing and status == 0):
            lines = [line for line in (self.folder / f"{name}.err").read_text().splitlines() if line.strip("| +-")]
            self.trouble.append(f"{name} ended with status {status}: {''.join(lines[-1:]).strip(' |')}")
            if len(self.trouble) > ENOUGH:
                raise FleetLost(self.trouble)
        if not self.closing:
            await self.start(role)
        worker.replaced.set()

    async def alive(self, role: Role) -> Worker:
        """Return the worker of a role that is not gone; it may still be starting."""
        while (worker := self.workers[role]).gone.is_set():
            await worker.replaced.wait()
        return worker

    async def ready(self, role: Role) -> Worker:
        """Return the worker of a role as soon as one is ready."""
        while not (worker := await self.alive(role)).ready.is_set():
            await self._until_ready(worker)
        return worker

    async def door(self, chance: Random) -> Worker:
        """Return a worker that takes payments, as soon as one is ready."""
        ready = [each for role in DOORS if (each := self.workers[role]).ready.is_set() and not each.gone.is_set()]
        return chance.choice(ready) if ready else await self.ready(chance.choice(DOORS))

    async def _until_ready(self, worker: Worker) -> None:
        async with create_task_group() as group:
            group.start_soon(_first, worker.gone, group)
            group.start_soon(_first, worker.ready, group)

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
                each.kill()


@asynccontextmanager
async def fleet(folder: Path, ledger: Ledger, seed: int, sabotage: str | None) -> AsyncIterator[Fleet]:
    """Start one worker of each role; leaving kills whoever is still there."""
    async with create_task_group() as group:
        found = Fleet(folder, ledger, Random(f"fleet {seed}"), sabotage, group)
        try:
            for role in ROLES:
                await found.start(role)
            yield found
        finally:
            found.closing = True
            for worker in found.workers.values():
                worker.kill()
