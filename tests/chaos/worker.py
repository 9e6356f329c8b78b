"""One process under test, which the nursery bears.

It takes commands, orders to die and troubles from its input, a line of JSON each, and ends in order when its input
ends. Everything it says is a line of JSON, too.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from attrs import frozen

from effect_runtime import App, Failed, Succeeded
from effect_runtime.dispatch import CommitUnknown, Conflict, StoreUnavailable
from effect_runtime.effect import Schedule
from effect_runtime.errors import EffectRuntimeError
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Host
from effect_runtime.outbox import ConsumerPolicy, Pace, RelayPolicy
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.transports import InProcess
from tests.chaos.body import Body, SteppedTime, WatchedBlocking
from tests.chaos.cures import Sickness, cure
from tests.chaos.failpoints import MIGRATING, Failpoints, Order
from tests.chaos.ledger import Ledger
from tests.chaos.plan import LEASE, Role
from tests.chaos.sabotage import sabotaged_store, sabotaged_wire
from tests.chaos.shop import Account, PaymentId, PaymentRefused, TakePayment, book, take_payment, till
from tests.chaos.tables import BOOK, NEXT, TILL, LedgerDiary, book_runtime, changes, till_runtime
from tests.chaos.wire import OpenWire, SocketWire
from tests.chaos.wounds import WoundedStore, WoundedWire, wounded

LENDING = RelayPolicy(
    lease=LEASE,
    margin=LEASE / 6,
    publish_within=LEASE * 0.8,
    retries=Schedule.exponential(timedelta(milliseconds=20)).times(1),
)
PACE = Pace(window=16, busy_poll=timedelta(milliseconds=5), idle_poll=timedelta(milliseconds=25))
"""As many lanes at once as a short lease allows on a loaded machine: what is not sent in time was borrowed in vain."""
TAKING = ConsumerPolicy(handle_within=LEASE * 0.7, lease=LEASE)


@frozen(kw_only=True)
class Settings:
    """What a worker is told when it is born.

    `number` tells its socket from others'. `clock`: seconds that its clock is ahead. `schema`: how many changes of the
    shop's schema it knows; `newer`: it is of the library's next version. `die`: the passing of `MIGRATING` at which it
    is to die, and how many microseconds after it.
    """

    role: Role
    name: str
    folder: str
    commits: Literal["adaptive", "thread", "inline"]
    number: int = 0
    engine: Literal["asyncio", "trio"] = "asyncio"
    sabotage: str | None = None
    files: int = 2
    clock: float = 0.0
    schema: int = 0
    newer: bool = False
    die: tuple[int, int] | None = None


def shop(settings: Settings, ledger: Ledger, failpoints: Failpoints, body: Body | None = None) -> App:
    """Describe the shop as one process of it runs it; `body`: its clock and what it writes on."""
    folder, whole = Path(settings.folder), settings.role == "whole"
    body, blocking = body or Body(), WatchedBlocking()
    sockets = SocketWire(folder, number=settings.number, sent=partial(failpoints.passed, "F7"))
    inner: Transport = OpenWire(InProcess(), sockets) if whole else sockets
    wire = sabotaged_wire(WoundedWire(inner, failpoints, ledger, folder, blind=whole), settings.sabotage)

    def store(name: str, migrations: tuple[Migration, ...]) -> WoundedStore:
        known = (*migrations, *changes(settings.schema), *((NEXT,) if settings.newer else ()))
        plain = SqliteStore(folder / name, migrations=known, commits=settings.commits)
        kept = plain if body.medium is None else plain.on(body.medium)
        broken = sabotaged_store(kept, settings.sabotage, wire)
        return WoundedStore(broken, failpoints, ledger, blocking, body.time, body.disk)

    diary = LedgerDiary(ledger, folder)
    one = store("shop.db", (*TILL, *BOOK)) if settings.files == 1 else None
    return App(
        "shop",
        wire=wire,
        host=Host(time=body.time, blocking=blocking),
        interceptors=[wounded(failpoints)],
        diagnostics=lambda _: None,  # dead letters belong here
        relay=LENDING,
        consumer=TAKING,
        pace=PACE,
        contexts=[
            till.bind(lambda tx: till_runtime(tx, diary), store=one or store("till.db", TILL)),
            book.bind(lambda tx: book_runtime(tx, diary), store=one or store("book.db", BOOK)),
        ],
    )


async def serve(settings: Settings) -> None:
    """Run the worker's part of the shop until the input ends."""
    ledger = Ledger(Path(settings.folder), settings.name)
    failpoints = Failpoints(ledger, stopping=lambda: _say(stopping=True))
    if settings.die is not None:
        nth, delay = settings.die
        failpoints.arm(Order(MIGRATING, nth, timedelta(microseconds=delay)))
    body = Body(SteppedTime(timedelta(seconds=settings.clock)))
    app = shop(settings, ledger, failpoints, body)
    relay, hands = settings.role in ("whole", "relay"), settings.role in ("whole", "consumer")
    async with app.running(relay=relay, consumers=hands, agenda=hands), anyio.create_task_group() as group:
        _say(ready=settings.name)
        worker = Worker(app, settings, ledger, failpoints, body, group)
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            worker.obey(json.loads(line))
        failpoints.leave()
    failpoints.left()
    ledger.close()


@final
@frozen(eq=False)
class Worker:
    """One process of the shop, and everything that it can be told."""

    app: App
    settings: Settings
    ledger: Ledger
    failpoints: Failpoints
    body: Body
    group: TaskGroup

    def obey(self, asked: dict[str, Any]) -> None:
        """Do what one line says, or start to."""
        match asked:
            case {"order": point, "nth": nth, "delay": delay, "stops": stops}:
                self.failpoints.arm(Order(point, nth, timedelta(microseconds=delay), stops))
                _say(armed=point)
            case {"clock": seconds}:
                self.body.time.ahead = timedelta(seconds=seconds)
            case {"full": of}:
                self.body.disk.fill(of=of, folder=Path(self.settings.folder))
            case {"free": _}:
                self.body.disk.free()
            case {"mend": _}:
                self.group.start_soon(self._mend)
            case _:
                self.group.start_soon(self._take, asked)

    async def _take(self, asked: dict[str, Any]) -> None:
        payment = PaymentId(asked["take"])
        command = TakePayment(payment, Account(asked["account"]), asked["refused"], Sickness(asked["sickness"]))
        ended = await self.app.run_exit(take_payment(command), command_id=payment)
        match ended:
            case Succeeded(number):
                _say(taken=payment, number=number)
            case Failed(PaymentRefused()):
                _say(taken=payment, refused=True)
            case Failed(CommitUnknown() | Conflict() | StoreUnavailable() as reason):
                _say(taken=payment, again=repr(reason))
            case defect:
                _say(taken=payment, defect=repr(defect))

    async def _mend(self) -> None:
        """Cure what made events dead letters, and replay them."""
        try:
            for letter in await self.app.dead_letters.list():
                told = json.loads(letter.body)
                told = told.get("data", told)  # a subscription keeps the envelope, too
                cure(Path(self.settings.folder), told["payment"])
                is_sick = told.get("sickness", Sickness.NONE.value) != Sickness.NONE.value
                self.ledger.jot("mended", payment=told["payment"], sick=is_sick, cause=letter.cause)
                await self.app.dead_letters.replay(letter.id)
        except EffectRuntimeError:
            return  # the store is in trouble, or somebody else was quicker: there is a next time


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)
