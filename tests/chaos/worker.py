"""One process under test: `python -m tests.chaos.worker SETTINGS`, one line of JSON.

It takes commands and orders to die from its input, a line of JSON each, and ends in order when its input ends.
Everything it says is a line of JSON, too.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from attrs import asdict, frozen

from effect_runtime import App, Failed, Succeeded
from effect_runtime.dispatch import CommitUnknown, Conflict, StoreUnavailable
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Host
from effect_runtime.outbox import ConsumerPolicy, RelayPolicy
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.transports import InProcess
from tests.chaos.failpoints import Failpoints, Order
from tests.chaos.ledger import Ledger
from tests.chaos.sabotage import sabotaged_store, sabotaged_wire
from tests.chaos.shop import Account, PaymentId, PaymentRefused, TakePayment, book, take_payment, till
from tests.chaos.tables import BOOK, TILL, book_runtime, till_runtime
from tests.chaos.wire import SocketWire
from tests.chaos.wounds import WatchedBlocking, WoundedStore, WoundedWire, wounded

LENDING = RelayPolicy(
    lease=timedelta(seconds=3), margin=timedelta(milliseconds=500), publish_within=timedelta(milliseconds=2500)
)
TAKING = ConsumerPolicy(handle_within=timedelta(seconds=2), lease=timedelta(seconds=3))
# A third of the default leases: the lanes of the dead are lent again sooner, and a loaded machine makes more zombies.

Role = Literal["whole", "producer", "relay", "consumer"]


@frozen(kw_only=True)
class Settings:
    """What a worker is told when it starts."""

    role: Role
    name: str
    folder: str
    commits: Literal["adaptive", "thread", "inline"]
    engine: Literal["asyncio", "trio"] = "asyncio"
    sabotage: str | None = None

    def command(self) -> list[str]:
        """Return the command line that starts the worker."""
        return [sys.executable, "-m", "tests.chaos.worker", json.dumps(asdict(self))]


def shop(settings: Settings, ledger: Ledger, failpoints: Failpoints) -> App:
    """Describe the shop as one process of it runs it."""
    folder, whole = Path(settings.folder), settings.role == "whole"
    blocking = WatchedBlocking()
    inner: Transport = InProcess() if whole else SocketWire(folder, sent=partial(failpoints.passed, "F7"))
    wire = sabotaged_wire(WoundedWire(inner, failpoints, ledger, blind=whole), settings.sabotage)

    def store(name: str, migrations: tuple[Migration, ...]) -> WoundedStore:
        plain = SqliteStore(folder / name, migrations=migrations, commits=settings.commits)
        return WoundedStore(sabotaged_store(plain, settings.sabotage, wire), failpoints, blocking)

    return App(
        "shop",
        wire=wire,
        host=Host(blocking=blocking),
        interceptors=[wounded(failpoints)],
        relay=LENDING,
        consumer=TAKING,
        contexts=[
            till.bind(lambda tx: till_runtime(tx, ledger), store=store("till.db", TILL)),
            book.bind(lambda tx: book_runtime(tx, ledger), store=store("book.db", BOOK)),
        ],
    )


async def serve(settings: Settings) -> None:
    """Run the worker's part of the shop until the input ends."""
    ledger = Ledger(Path(settings.folder), settings.name)
    failpoints = Failpoints(ledger)
    app = shop(settings, ledger, failpoints)
    relay, consumers = settings.role in ("whole", "relay"), settings.role in ("whole", "consumer")
    async with app.running(relay=relay, consumers=consumers), anyio.create_task_group() as group:
        _say(ready=settings.name)
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            _obey(app, failpoints, group, json.loads(line))
    ledger.close()


def _obey(app: App, failpoints: Failpoints, group: TaskGroup, asked: dict[str, Any]) -> None:
    if "die" in asked:
        delay = timedelta(microseconds=asked["delay"])
        failpoints.arm(Order(asked["die"], asked["nth"], delay))
        _say(armed=asked["die"])
    else:
        group.start_soon(_take, app, asked)


async def _take(app: App, asked: dict[str, Any]) -> None:
    payment = PaymentId(asked["take"])
    command = TakePayment(payment, Account(asked["account"]), asked["refused"])
    ended = await app.run_exit(take_payment(command), command_id=payment)
    match ended:
        case Succeeded(number):
            _say(taken=payment, number=number)
        case Failed(PaymentRefused()):
            _say(taken=payment, refused=True)
        case Failed(CommitUnknown() | Conflict() | StoreUnavailable() as reason):
            _say(taken=payment, again=repr(reason))
        case defect:
            _say(taken=payment, defect=repr(defect))


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    told = Settings(**json.loads(sys.argv[1]))
    anyio.run(serve, told, backend=told.engine)
