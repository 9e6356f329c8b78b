"""An application under test: one life on virtual time, asked by plain functions. Knows no model and no strategy."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar, final

import anyio

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Principal, Store
from effect_runtime.effect import Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.interpreter import Interceptor
from effect_runtime.outbox import Pace
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.testing._disk import Disk
from effect_runtime.testing._driver import Driver
from effect_runtime.transports import InProcess

A = TypeVar("A")

_ALONE: Final = Pace(alone=True)


def app_of(subject: App | Binding) -> App:
    """Return an application that is verified; a context alone gets one, with whatever it hears from elsewhere."""
    if isinstance(subject, Binding):
        heard = [each.topic for each in subject.context.subscriptions]
        subject = App(subject.name, contexts=[subject], wire=InProcess(), foreign_topics=heard)
    subject.build()
    return subject


@final
class Subject:
    """A production application that runs from now until `dispose`, over stores that are empty at first."""

    def __init__(self, app: App, *interceptors: Interceptor) -> None:
        self._driver = Driver()
        self._stores: dict[int, Store[Any, Any]] = {}
        self._app = app.moved(self._driver.host, self._store, wire=InProcess(), interceptors=interceptors, pace=_ALONE)
        opened = anyio.Event()
        self._driver.start(partial(self._live, opened), name="application")
        self._driver.call(opened.wait, name="opening")

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

        return self._driver.call(asked, name=repr(effect))

    def read(self, effect: Eff[A, Any, Any]) -> A:
        """Return the value of a query that must succeed."""
        return self._driver.call(lambda: self._app.run(effect), name=repr(effect))

    def dispose(self) -> None:
        """Stop, without a word."""
        self._driver.dispose()

    async def _live(self, opened: anyio.Event) -> None:
        async with self._app.running():
            opened.set()
            await anyio.sleep_forever()

    def _store(self, binding: Binding) -> Store[Any, Any]:
        store: Any = binding.store
        match store:
            case MemoryStore():
                made: Store[Any, Any] = MemoryStore(store.name)
            case SqliteStore():
                made = store.on(Disk(store.name).drive())
            case _:
                reason = "nobody keeps it in memory; give a MemoryStore or a SqliteStore"
                raise NotSimulated(f"the store {store!r} of context {binding.name!r}", reason=reason)
        return self._stores.setdefault(id(store), made)
