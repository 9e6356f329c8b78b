"""Dead letters of after-commit handlers and due commands become tests as those of subscriptions do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Never

import pytest
from attrs import frozen

from effect_runtime import App, Context, Do, DomainEvent, Events, Schedule, Transaction, emit, guard
from effect_runtime.app import Replay
from effect_runtime.dispatch import Due, EventQueue, send_later, stored
from effect_runtime.errors import UnhandledFailure
from effect_runtime.integration import Redacted
from effect_runtime.outbox import DeadLetter
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.runtime import operation
from tests.app.things import letter_in

pytestmark = pytest.mark.anyio


@frozen
@stored("bells.rung")
class RungOccurred(DomainEvent):
    """A bell was rung."""

    loudness: int
    by: Redacted[str]


@frozen
@stored("bells.muffle")
class Muffle:
    """Muffle a bell."""

    loudness: int


@frozen
class TooQuiet:
    """There is nothing to muffle."""


@frozen
class Ring:
    """Ring a bell."""

    loudness: int


@frozen
class Tower:
    """Where bells hang."""

    session: Any

    @operation(kind="transactional")
    async def strength(self) -> int:
        """Answer 7."""
        return 7

    @operation(kind="transactional")
    async def write_down(self, loudness: int) -> None:
        """Keep it."""


@frozen
class BellRuntime:
    """What bells may use."""

    tower: Tower
    events: Events
    due: Due


def make_bells(tx: Transaction[Any]) -> BellRuntime:
    """Build what one bell may use."""
    return BellRuntime(Tower(tx.session), tx.events, tx.due)


def bells(*, mended: bool) -> Context[Any, Any]:
    """Return a context in which both handlers divide by the loudness, unless they are mended."""
    context = Context("bells", BellRuntime)

    @context.command(access="public")
    def ring(command: Ring) -> Do[None, Never, BellRuntime]:
        yield from emit(RungOccurred(command.loudness, "ann"))
        yield from send_later(Muffle(command.loudness), due=timedelta(0))

    @context.after_commit(RungOccurred, queue=EventQueue("echoes", immediate=0, schedule=Schedule().times(1)))
    def echo(event: RungOccurred) -> Do[None, Never, BellRuntime]:
        rt = yield from context.runtime
        strength = yield from rt.tower.strength()
        share = strength // (event.loudness or int(mended))
        yield from send_later(Muffle(share), due=timedelta(days=1))
        yield from rt.tower.write_down(share)

    @context.command(access="internal")
    def muffle(command: Muffle) -> Do[int, TooQuiet, BellRuntime]:
        rt = yield from context.runtime
        strength = yield from rt.tower.strength()
        yield from guard(mended or command.loudness > 0, TooQuiet())
        return strength

    return context


async def letters() -> dict[str, tuple[DeadLetter, str]]:
    """Ring a bell without a sound; return each dead letter with the test that it becomes."""
    app = App(
        "bells",
        contexts=[bells(mended=False).bind(make_bells, store=MemoryStore("bells"))],
        diagnostics=lambda _: None,
    )
    found: dict[str, tuple[DeadLetter, str]] = {}
    async with app.running():
        await app.send(Ring(0))
        while len(found) < 2:
            await app.settled()
            for letter in await app.dead_letters.list():
                found[letter.destination] = letter, await app.dead_letters.reproduce(letter.id)
    return found


@pytest.mark.parametrize(
    ("destination", "expected"), [("bells.echo", ZeroDivisionError), ("bells/bells.muffle", UnhandledFailure)]
)
async def test_an_item_of_the_agenda_is_repeated(destination: str, expected: type[Exception]) -> None:
    """It fails as it did, and succeeds once its handler is mended."""
    _, text = (await letters())[destination]
    compile(text, "test_letter.py", "exec")
    replay = Replay.of(letter_in(text))
    trouble = await replay.run(bells(mended=False), make_bells, answers={})
    assert isinstance(trouble, expected)
    assert await replay.run(bells(mended=True), make_bells, answers={}) is None


async def test_secrets_of_a_stored_event_are_covered() -> None:
    """As those of contracts are."""
    _, text = (await letters())["bells.echo"]
    assert '"by": "***"' in text
    assert '"ann"' not in text
