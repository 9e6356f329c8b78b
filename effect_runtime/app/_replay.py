"""A dead letter's last attempt once more: the handlers as they are now, answered with what was recorded then.

Runs the real dispatch on a store in memory that no operation reaches. Knows no test runner; `testing` does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from inspect import signature
from typing import Any

from attrs import evolve, frozen

from effect_runtime.app._addressee import addressee_of
from effect_runtime.app._app import App
from effect_runtime.app._live import opened
from effect_runtime.app._plan import Plan
from effect_runtime.app._script import Script
from effect_runtime.app._stand_ins import Absent, CountedEntropy, StandingTime, WatchedStore
from effect_runtime.dispatch import Context, Diagnostic, Transaction, import_modules
from effect_runtime.effect import Died, Failed
from effect_runtime.errors import NothingToReplay, UnhandledFailure, raise_faults
from effect_runtime.integration import Envelope, Message, decode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox import RecordedAttempt, RecordingInterpreter, decoded_recording


@frozen(kw_only=True)
class Replay:
    """What is needed to repeat an attempt: where the message went, the message, and the recorded operations.

    `attempt` is None when none was made, because the message could not be read: then reading it is all that is done.
    """

    destination: str
    envelope: Envelope
    at: datetime
    attempt: RecordedAttempt | None

    @classmethod
    def of(cls, text: str) -> Replay:
        """Read what a test file holds of a dead letter."""
        letter = json.loads(text)
        recording = letter["recording"]
        return cls(
            destination=letter["destination"],
            envelope=decode_message(Message(json.dumps(letter["envelope"]).encode())),
            at=datetime.fromisoformat(letter["at"]),
            attempt=None if recording is None else decoded_recording(json.dumps(recording).encode()),
        )

    async def run(
        self,
        context: Context[Any, Any],
        make: Callable[..., Any],
        *,
        answers: Mapping[Any, Any],
        resources: Any = None,
    ) -> Exception | None:
        """Return what the attempt ends with, with the handlers of `context` as they are now; None if it succeeds.

        A defect is itself, a declared failure an `errors.UnhandledFailure`; one that the subscription ignores is a
        success. Raises `errors.RecordingDiverged` and `errors.AnswerNotRecorded` when the handler asks for what was
        not recorded, whatever it makes of that.
        """
        raise_faults(f"context {context.name!r}", tuple(import_modules(context)))
        addressee = addressee_of(context, self.destination)
        if addressee is None:
            raise NothingToReplay(self.destination, context=context.name)
        try:
            message = addressee.read(self.envelope)
        except Exception as unreadable:
            return unreadable
        if self.attempt is None:
            return None
        script, store = Script(self.attempt, answers), WatchedStore()
        plan = self._plan(context, make, script, store, resources)
        # Opened without its application: the other contexts, which verification would ask for, are not here.
        async with opened(plan, relay=False, consumers=False, agenda=False) as live:
            exit = await addressee.give(live.dispatcher, message, self.envelope)
        # Before the exit: a handler that catches everything may have made a success of what nobody could answer.
        if script.trouble is not None:
            raise script.trouble
        match exit:
            case Died(Exception() as defect):
                return defect
            case Failed(error) if addressee.verdict(message, error) != "ignore":
                return _unhandled(error, store)
            case _:
                return None

    def _plan(
        self,
        context: Context[Any, Any],
        make: Callable[..., Any],
        script: Script,
        store: WatchedStore,
        resources: Any,
    ) -> Plan:
        binding = context.bind(_Making(make, resources), store=store)
        app = App(
            "replay",
            contexts=[binding],
            transport=RecordingInterpreter(),
            interceptors=[script.interceptor],
            host=Host(time=StandingTime(self.at), entropy=CountedEntropy()),
            diagnostics=_silent,
        )
        return app._plan  # of this very chapter


@frozen
class _Making:
    """Build a runtime with nothing behind it; `resources` stands for what was opened, if the function takes that."""

    make: Callable[..., Any]
    resources: Any

    def __call__(self, transaction: Transaction[Any]) -> Any:
        transaction = evolve(transaction, session=Absent())
        if len(signature(self.make).parameters) < 2:
            return self.make(transaction)
        return self.make(transaction, Absent() if self.resources is None else self.resources)


def _unhandled(error: object, store: WatchedStore) -> UnhandledFailure:
    failure, signal = UnhandledFailure(error), store.failure
    return failure if signal is None else failure.with_traceback(signal.__traceback__)


def _silent(diagnostic: Diagnostic) -> None:
    """Say nothing: what is true of a replay need not be true of the application."""
