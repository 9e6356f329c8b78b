"""An application that hears hostile messages, and the count of what became of each: nothing may vanish.

Every message goes through the real wire, consumer, inbox and dispatch. One batch has one store, so that what a store
keeps by design does not look like a leak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never, TypeAlias

from attrs import define, field, frozen

from effect_runtime import A, App, Context, Do, E, Transaction, fail, operation
from effect_runtime.dispatch import Store
from effect_runtime.effect import Eff, Schedule
from effect_runtime.errors import BadEnvelope, DestinationUnavailable, PartitionPaused, Unserializable
from effect_runtime.integration import Message, decode_message, encode_message
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.transports import InProcess
from tests.integration.contracts import BookBorrowed, EverythingTold, LendingEvents, LibraryOpened

SUBSCRIPTION = "listener.lending-events"
OUTCOMES = ("applied", "unhandled", "ignored", "duplicates", "parked", "paused", "retried", "buried")


@frozen
class Refusal:
    """What the handler does not like."""


@define
class Ears:
    """What was handled: the number of events for which a unit has committed, or was going to."""

    heard: int = 0

    @operation(kind="local")
    async def hear(self) -> None:
        """Count one."""
        self.heard += 1


@frozen
class ListenerRuntime:
    """What the listener may use."""

    ears: Ears


Listening: TypeAlias = Do[A, E, ListenerRuntime]


@define
class Verdict:
    """What became of a batch: outcomes by name, and what must not happen, with an example of each."""

    outcomes: Counter[str] = field(factory=Counter)
    wrong: dict[str, str] = field(factory=dict)


def listener(store: Store[Any, Any], wire: InProcess, ears: Ears) -> App:
    """Describe the application: it applies most events, fails for some and is buggy for others."""
    context = Context("listener", ListenerRuntime)
    subscription = context.subscribe(
        LendingEvents, id=SUBSCRIPTION, start="earliest", schedule=Schedule().times(1), parked_limit=10, poison="skip"
    )

    @subscription.on(BookBorrowed, dead_letter=(Refusal,))
    def borrowed(event: BookBorrowed) -> Listening[None, Refusal]:
        rt = yield from context.runtime
        yield from rt.ears.hear()
        if event.patron < 0:
            yield from fail(Refusal())
        if event.patron > 2**40:
            raise OverflowError(str(event.patron)[:100])

    @subscription.on(EverythingTold)
    def told(event: EverythingTold) -> Listening[None, Never]:
        rt = yield from context.runtime
        yield from rt.ears.hear()

    @subscription.on(LibraryOpened)
    def opened(event: LibraryOpened) -> Eff[None]:
        return ears.hear()

    def make(_: Transaction[Any]) -> ListenerRuntime:
        return ListenerRuntime(ears)

    return App(
        "fuzz",
        wire=wire,
        contexts=[context.bind(make, store=store)],
        foreign_topics=[LendingEvents],
        diagnostics=lambda _: None,
    )


async def heard(messages: Sequence[bytes], *, on: str = "memory") -> Verdict:
    """Hand a batch over and account for every message of it."""
    with TemporaryDirectory() as folder:
        store: Store[Any, Any] = MemoryStore("fuzz") if on == "memory" else SqliteStore(Path(folder) / "fuzz.db")
        wire, ears, verdict = InProcess(), Ears(), Verdict()
        app = listener(store, wire, ears)
        async with app.running(relay=False):
            for number, body in enumerate(messages):
                _check_round_trip(body, number, verdict)
                await _handed_over(app, wire, body, number, verdict)
            await app.settled()
            await _audit(app, len(messages), verdict)
        return verdict


async def _handed_over(app: App, wire: InProcess, body: bytes, number: int, verdict: Verdict) -> None:
    before = _counted(app)
    try:
        await wire.publish(SUBSCRIPTION, Message(body))
    except PartitionPaused:
        pass  # the bound of a key: the sender keeps the message
    except DestinationUnavailable as error:
        verdict.wrong.setdefault("crash", f"message {number}: {error}")
        return
    except BaseException as error:
        verdict.wrong.setdefault("crash", f"message {number}: {type(error).__name__}: {error}")
        raise
    outcomes = _counted(app) - before
    outcomes.subtract({"applied": max(0, outcomes["applied"] - 1)})  # one that waited may have been taken up besides
    if not +outcomes:
        verdict.wrong.setdefault("silent ack", f"message {number}: {body[:200]!r}")


def _counted(app: App) -> Counter[str]:
    [counts] = app.counts().values()
    return Counter({name: getattr(counts.consumer, name) for name in OUTCOMES})


async def _audit(app: App, messages: int, verdict: Verdict) -> None:
    """Compare what was counted with what is stored."""
    counts = _counted(app)
    verdict.outcomes.update(+counts)
    letters = await app.dead_letters.list(state=None, limit=messages + 1)
    if len(letters) != counts["buried"]:
        verdict.wrong.setdefault("dead letter lost", f"{counts['buried']} buried, {len(letters)} stored")
    if sum(counts.values()) < messages:
        verdict.wrong.setdefault("silent ack", f"{messages} messages, {sum(counts.values())} outcomes")


def _check_round_trip(body: bytes, number: int, verdict: Verdict) -> None:
    """Read an envelope, write it and read it again: nothing but a documented refusal, and the same envelope."""
    try:
        envelope = decode_message(Message(body))
    except BadEnvelope:
        return
    except BaseException as error:
        verdict.wrong.setdefault("crash", f"message {number}: {type(error).__name__}: {error}")
        return
    try:
        again = decode_message(encode_message(envelope))
    except Unserializable as error:
        verdict.wrong.setdefault("read, but not to be written", f"message {number}: {error}")
        return
    if again != envelope:
        verdict.wrong.setdefault("read differently", f"message {number}: {body[:200]!r}")
