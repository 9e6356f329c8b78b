"""The refusals of one dispatched message: raised where they happen, audited once it has ended.

Each is written in a transaction of its own, because the message's own transaction is rolled back or already over.
"""

from __future__ import annotations

from typing import Any, final

from effect_runtime.dispatch._handlers import Command, Query
from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._judgement import decided, denied, judge
from effect_runtime.dispatch._ledger import audit_entry, outcome_of
from effect_runtime.dispatch._refused import Forbidden, Invalid, Refused, StoreUnavailable
from effect_runtime.dispatch._request import Diagnostic, MessageContext
from effect_runtime.effect import Eff, Raised
from effect_runtime.errors import CommandNotDone, PolicyUndecided, StoreConflict, StoreDown, TransactionLost
from effect_runtime.interpreter import Interpreter


@final
class Refusals:
    """Collect and audit the refusals of one message. Owned by the dispatch of that message."""

    __slots__ = ("_found", "_home", "_request")

    def __init__(self, home: Home, request: MessageContext) -> None:
        self._home = home
        self._request = request
        self._found: list[tuple[str, Refused]] = []

    def clear(self) -> None:
        """Forget the refusals of a try that is started over."""
        self._found.clear()

    def add(self, handler: str, refusal: Refused) -> None:
        """Collect one refusal."""
        self._found.append((handler, refusal))

    def judged(
        self, handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any], message: Any, *, nested: bool
    ) -> Eff[bool, Any, Any] | None:
        """Judge a message: raise its refusal, or return the policy that has still to be run, if there is one."""
        judgement = judge(handler, message, self._request.principal, nested=nested)
        if isinstance(judgement, Invalid | Forbidden):
            self.add(handler.name, judgement)
            raise Raised(judgement)
        return judgement

    async def authorise(
        self, policy: Eff[bool, Any, Any], entry: Entry, *, interpreter: Interpreter, runtime: Any
    ) -> None:
        """Run a policy inside the unit of work and raise the refusal that it amounts to."""
        try:
            answer: object = await interpreter.interpret(policy, runtime)
        except Raised as signal:  # no type tells of it: it must not pass for a failure of the handler
            raise PolicyUndecided(entry.handler.title, signal.error) from None
        if not decided(entry.handler, answer):
            refusal = denied(entry.handler, self._request.principal)
            self.add(entry.handler.name, refusal)
            raise Raised(refusal)

    async def audited(self, title: str) -> None:
        """Write the refusals of a message that was not done; raises `CommandNotDone` if the store is in trouble."""
        try:
            await self._write()
        except (StoreDown, StoreConflict, TransactionLost) as error:
            raise CommandNotDone(title, StoreUnavailable(error.store, error.reason)) from error

    async def audited_beside(self, title: str) -> None:
        """Write the refusals that a message survived: it is committed, so trouble here must not look like its own."""
        try:
            await self._write()
        except (StoreDown, StoreConflict, TransactionLost) as error:
            self._home.diagnose(
                Diagnostic(
                    kind="after-commit",
                    command=title,
                    subject=f"{len(self._found)} refusals of nested commands were not audited: {error.reason}",
                    place="after the commit",
                    advice="The command stands; look after the store.",
                )
            )

    async def _write(self) -> None:
        host = self._home.host
        for name, refusal in self._found:
            command_id = self._request.command_id or str(host.entropy.uuid())
            outcome, at = outcome_of(refusal), host.time.now()
            await self._home.store.audit(
                audit_entry(self._home, self._request, command=name, command_id=command_id, outcome=outcome, at=at)
            )
