"""An application under test: one life on virtual time, asked by plain functions. Knows no model and no strategy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, final

import anyio

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Principal, Store
from effect_runtime.effect import Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.interpreter import Host, Interceptor
from effect_runtime.outbox import Pace
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.testing.ground._disk import Disk, Drive
from effect_runtime.testing.loop._driver import Driver
from effect_runtime.testing.loop._strict import inside_simulation, refusing
from effect_runtime.testing.loop._watch import watching
from effect_runtime.transports import InProcess

A = TypeVar("A")

_ALONE: Final = Pace(alone=True)

_WATCHED: Final = 6
"""How many of its first calls are watched for what goes by another name, which makes them take twice as long."""


def app_of(subject: App | Binding) -> App:
    """Return an application that is verified; a context alone gets one, with whatever it hears from elsewhere."""
    if not isinstance(subject, App | Binding):
        reason = "it has no store; bind it to one, context.bind(make, store=...), or give an App"
        raise NotSimulated(f"{subject!r}", reason=reason)
    if isinstance(subject, Binding):
        heard = [each.topic for each in subject.context.subscriptions]
        subject = App(subject.name, contexts=[subject], wire=InProcess(), foreign_topics=heard)
    subject.build()
    return subject


@final
class Subject:
    """A production application that runs from now until `dispose`, over stores that are empty at first.

    `strict`: it must not touch real clocks, chance, threads and sockets; `errors.LeftSimulation` says where it did.
    """

    def __init__(self, app: App, *interceptors: Interceptor, strict: bool = True) -> None:
        self._strict = strict
        self._calls = 0
        self._driver = Driver()
        self._verified = app
        self._interceptors = interceptors
        self._durable: dict[int, Disk | MemoryStore] = {}
        self._drives: list[Drive] = []
        self._boot()

    @property
    def now(self) -> datetime:
        """Return the present moment of its clock."""
        return self._driver.host.time.now()

    def ask(self, effect: Eff[Any, Any, Any], command_id: str | None, principal: Principal) -> Any:
        """Send a message, wait until every event has arrived and nothing is due, and return the message's exit."""

        async def asked() -> Any:
            exit = await self._app.run_exit(effect, command_id=command_id, principal=principal)
            await self._app.settled()
            return exit

        return self._call(asked, name=repr(effect))

    def read(self, effect: Eff[A, Any, Any]) -> A:
        """Return the value of a query that must succeed."""
        return self._call(lambda: self._app.run(effect), name=repr(effect))

    def wait(self, duration: timedelta) -> None:
        """Let time pass, and wait until every event has arrived and nothing is due."""

        async def waited() -> None:
            await self._driver.host.time.sleep(duration)
            await self._app.settled()

        self._call(waited, name="waiting")

    def restart(self) -> None:
        """Kill the process and begin another: what is committed stays, everything else is gone."""
        self._driver.crash()
        for drive in self._drives:
            drive.crash()
        for durable in self._durable.values():
            if isinstance(durable, MemoryStore):
                durable.abandon()
        self._drives.clear()
        self._boot()

    def dispose(self) -> None:
        """Stop, without a word."""
        self._driver.dispose()

    def _call(self, function: Callable[[], Awaitable[A]], *, name: str) -> A:
        if not self._strict:
            return self._driver.call(function, name=name)
        # By its number, and not in the first run only: one that is repeated must be refused again.
        self._calls += 1
        with inside_simulation(), refusing(), watching() if self._calls <= _WATCHED else nullcontext():
            return self._driver.call(function, name=name)

    def _boot(self) -> None:
        host, stores = self._driver.host, dict[int, Store[Any, Any]]()

        def store_of(binding: Binding) -> Store[Any, Any]:
            key = id(binding.store)
            if key not in stores:
                stores[key] = self._store(binding, host)
            return stores[key]

        self._app = self._verified.moved(host, store_of, wire=InProcess(), interceptors=self._interceptors, pace=_ALONE)
        opened = anyio.Event()
        self._driver.start(partial(self._live, self._app, opened), name="application")
        self._call(opened.wait, name="opening")

    async def _live(self, app: App, opened: anyio.Event) -> None:
        # Without a janitor: what has been answered stays answered, however much time a machine lets pass.
        async with app.running(janitor=False):
            opened.set()
            await anyio.sleep_forever()

    def _store(self, binding: Binding, host: Host) -> Store[Any, Any]:
        store: Any = binding.store
        match store:
            case MemoryStore():
                durable = self._durable.setdefault(id(store), MemoryStore(store.name))
                assert isinstance(durable, MemoryStore)  # kept under the same store
                return durable
            case SqliteStore():
                disk = self._durable.setdefault(id(store), Disk(store.name))
                assert isinstance(disk, Disk)  # kept under the same store
                self._drives.append(disk.drive(host))
                return store.on(self._drives[-1])
            case _:
                reason = "nobody keeps it in memory; give a MemoryStore or a SqliteStore"
                raise NotSimulated(f"the store {store!r} of context {binding.name!r}", reason=reason)
