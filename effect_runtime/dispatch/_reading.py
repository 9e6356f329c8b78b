"""One query, and the queries it sends, over one read session. Opens no unit of work and can write nothing."""

from __future__ import annotations

from typing import Any, final

from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._nesting import noted
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._refused import StoreUnavailable
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.effect import Call, Operation, Raised
from effect_runtime.errors import CommandNotDone, StoreDown, WriteInQuery


@final
class Reading:
    """Answer one query. Owned by the dispatch of that query."""

    __slots__ = ("_entry", "_home", "_interpreter", "_refusals")

    def __init__(self, home: Home, entry: Entry, request: MessageContext) -> None:
        self._home = home
        self._entry = entry
        self._refusals = Refusals(home, request)
        self._interpreter = home.interpreter.with_perform(self._perform)

    async def answer(self, message: Any) -> Any:
        """Judge the query, read, and answer."""
        try:
            async with self._home.store.reading() as session:
                value = await self._ask(self._entry, message, self._home.reading(session), nested=False)
        except Raised:
            await self._refusals.audited(self._entry.handler.title)
            raise
        except StoreDown as error:
            reason = StoreUnavailable(error.store, error.reason)
            raise CommandNotDone(self._entry.handler.title, reason) from error
        except Exception:
            await self._refusals.audited(self._entry.handler.title)
            raise
        await self._refusals.audited_beside(self._entry.handler.title)
        return value

    async def _perform(self, operation: Operation, runtime: Any) -> Any:
        """Perform one operation of a query: the innermost of the interpreter's layers."""
        if not isinstance(operation, Call):
            return await operation.method.function(*operation.call, **operation.kwargs)
        entry = self._home.queries.get(operation.handler)
        if entry is None:
            raise WriteInQuery(operation.title, query=self._entry.handler.title)
        return await self._ask(entry, operation.message, runtime, nested=True)

    async def _ask(self, entry: Entry, message: Any, runtime: Any, *, nested: bool) -> Any:
        handler, interpreter = entry.handler, self._interpreter
        policy = self._refusals.judged(handler, message, nested=nested)
        if policy is not None:
            await self._refusals.authorise(policy, entry, interpreter=interpreter, runtime=runtime)
        return await noted(handler.title, interpreter.interpret(handler.body(message), runtime))
