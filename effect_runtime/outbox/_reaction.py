"""One try of one item of the agenda by the reaction that takes it, and what the way in which it ended means.

Knows no queue and no place where items are kept: whoever holds the item writes what this decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias, assert_never

from anyio import move_on_after
from attrs import define, field, frozen

from effect_runtime.effect import Cancelled, Died, Exit, Failed, Succeeded
from effect_runtime.errors import (
    StoreConflict,
    UndecodableMessage,
)
from effect_runtime.integration import Secrets
from effect_runtime.interpreter import Recording
from effect_runtime.outbox._agenda import Persistence, plan_after_try
from effect_runtime.outbox._inbox import Bury, Plan, Verdict
from effect_runtime.outbox._ports import AgendaUnit
from effect_runtime.outbox._recording import encoded_recording
from effect_runtime.outbox._text import described, shown
from effect_runtime.outbox._trouble import is_store_trouble, is_stray

_NO_SECRETS: Final = Secrets()

Take: TypeAlias = Callable[[Any], Awaitable[bool]]
"""Ends the loan of an item inside a unit; False when the item is somebody else's by now, or nobody's."""


class React(Protocol):
    """Let a reaction handle an item in a unit of its own context.

    1. It calls `admit` in the unit's transaction, at the latest right before the commit, and `waits` before it waits
    for that transaction. False: nothing is written and `Succeeded` is returned. 2. It returns `Succeeded` when the unit
    has committed, `Failed` or `Died` when nothing was written. 3. It raises `errors.UndecodableMessage` for an item
    that it cannot read. 4. It may call `admit` again, in a new unit, when a conflict makes it start over.
    5. `recording` holds the operations of its last run.
    """

    async def __call__(
        self, item: Any, *, admit: Take, waits: Callable[[], None], recording: Recording
    ) -> Exit[Any, Any]:
        """Handle one item."""
        ...


@frozen(kw_only=True)
class Taker:
    """What a worker knows of one reaction. `verdict` maps a declared failure; `secrets` are covered in dead letters."""

    reaction: str
    react: React
    verdict: Callable[[object], Verdict]
    persistence: Persistence
    secrets: Secrets = _NO_SECRETS


@frozen
class Setback:
    """A try that was no success: what follows, and whether the reaction had declared the failure."""

    plan: Plan
    declared: bool = False


@define(eq=False)
class Try:
    """One try of an item that has been tried `attempts` times and has been due for `elapsed`.

    `is_stale`: the item was not ours any more. `is_kept_waiting`: its unit waits for a transaction that others have.
    """

    taker: Taker
    take: Take
    attempts: int
    elapsed: timedelta
    chance: float
    is_stale: bool = field(init=False, default=False)
    is_kept_waiting: bool = field(init=False, default=False)
    recording: Recording = field(init=False, factory=Recording)

    async def of(self, item: Any, *, within: timedelta) -> Setback | None:
        """Try it; None when it was done, or is stale.

        Raises the store's own trouble, which spends no attempt: nothing is wrong with the item.
        """
        exit: Exit[Any, Any] | None = None
        try:
            with move_on_after(within.total_seconds()):
                exit = await self.taker.react(item, admit=self._admit, waits=self._wait, recording=self.recording)
        except UndecodableMessage as error:
            # What is stored will not read better next time: no attempts, until code that can read it is deployed and it
            # is replayed.
            return Setback(Bury(described(error), blocks=False))
        except BaseException as error:
            if not is_stray(error):
                raise
            return self._setback(f"{described(error)}: nobody cancelled it")
        match exit:
            case Succeeded():
                return None
            case Failed(failure):
                verdict = self.taker.verdict(failure)
                return self._setback(shown(failure, self.taker.secrets), failure, verdict=verdict)
            case Died(exception):
                if is_store_trouble(exception):
                    raise exception
                return self._setback(described(exception), exception)
            case None | Cancelled() if self.is_kept_waiting:
                reason = f"its turn did not come within {within.total_seconds():g} s"
                raise StoreConflict(self.taker.reaction, reason=reason)
            case None | Cancelled():
                return self._setback(f"not done within {within.total_seconds():g} s")
            case _:
                assert_never(exit)

    def _wait(self) -> None:
        self.is_kept_waiting = True

    async def _admit(self, unit: AgendaUnit) -> bool:
        # The transaction is ours from here on: a time-out is now the reaction's own, and spends an attempt.
        self.is_kept_waiting = False
        taken = await self.take(unit)
        self.is_stale = not taken
        return taken

    def letter_recording(self) -> bytes | None:
        """Return the operations of this try as a dead letter keeps them."""
        return encoded_recording(self.recording, self.taker.secrets)

    def _setback(self, error: str, failure: object = None, *, verdict: Verdict | None = None) -> Setback:
        wait = self.taker.persistence.wait_after(
            failure, attempts=self.attempts + 1, elapsed=self.elapsed, chance=self.chance
        )
        return Setback(plan_after_try(verdict or "retry", error=error, wait=wait), declared=verdict is not None)
