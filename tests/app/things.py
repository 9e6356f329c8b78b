"""A context that hears of things and handles them as a test likes, and the dead letters that come of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, Never, TypeAlias

from attrs import field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    E,
    Outbox,
    Schedule,
    Topic,
    Transaction,
    integration_event,
    operation,
    publish,
)
from effect_runtime.app import Replay
from effect_runtime.integration import Redacted
from effect_runtime.outbox import DeadLetter
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.runtime import Clock
from effect_runtime.transports import InProcess


class ThingEvents(Topic, name="things"):
    """What happens to things."""

    __slots__ = ()


@frozen
@integration_event("things.thing-made", key="name")
class ThingMade(ThingEvents):
    """A thing was made."""

    name: str
    maker: Redacted[str] = "nobody"
    note: str = ""


@frozen
class Missing:
    """There is no such thing."""

    name: str


class Grip:
    """An answer without a form: it can only be shown."""


@frozen
class Things:
    """Things somewhere else."""

    session: Any = field(repr=False)

    @operation(kind="transactional")
    async def weigh(self, name: str) -> Result[int, Missing]:
        """Answer 7 for what is there; `bad` breaks the scales, `odd` breaks them in a way of their own."""
        if name == "bad":
            raise ValueError("the scales broke")
        if name == "odd":
            raise ScalesBroke("odd", 7)
        return Failure(Missing(name)) if name == "gone" else Success(7)

    @operation(kind="transactional")
    async def keep(self, name: str, grams: int) -> None:
        """Keep a weight."""

    @operation(kind="external")
    async def grab(self) -> Grip:
        """Answer with what has no form."""
        return Grip()

    @operation(kind="local")
    async def feel(self) -> Grip:
        """Answer with what has no form, but can be done again."""
        return Grip()


class ScalesBroke(Exception):
    """An exception whose text is not made of its arguments alone."""

    def __init__(self, thing: str, weight: int) -> None:
        super().__init__(thing)
        self.weight = weight

    def __str__(self) -> str:
        return f"{self.args[0]} weighs {self.weight}"


@frozen
class ThingsRuntime:
    """What handling may use."""

    things: Things
    clock: Clock


@frozen
class MakerRuntime:
    """What making may use."""

    outbox: Outbox[ThingEvents]


@frozen
class MakeThing:
    """Make a thing."""

    name: str
    note: str = ""


Handling: TypeAlias = Do[A, E, ThingsRuntime]
Handler: TypeAlias = Callable[[ThingMade], Any]
HANDLER = "workshop.things"


def make_things(tx: Transaction[Any]) -> ThingsRuntime:
    """Build what handling one thing may use."""
    return ThingsRuntime(Things(tx.session), tx.clock)


def hearing(handler: Handler, *, ignore: tuple[type, ...] = ()) -> Context[Any, Any]:
    """Return a context whose subscription handles things so."""
    context = Context("workshop", ThingsRuntime)
    subscription = context.subscribe(ThingEvents, id=HANDLER, start="earliest", schedule=Schedule().times(1))

    @subscription.on(ThingMade, ignore=ignore, dead_letter=() if Missing in ignore else (Missing,))
    def handle(event: ThingMade) -> Handling[None, Missing]:
        """Handle a thing as the test says."""
        yield from handler(event)

    return context


def workshop(handler: Handler, **options: Any) -> App:
    """Describe an application that makes things, and handles them so."""
    makers = Context("makers", MakerRuntime, publishes=[ThingEvents])

    @makers.command(access="public")
    def make_thing(command: MakeThing) -> Do[None, Never, MakerRuntime]:
        """Make a thing and tell the world."""
        yield from publish(ThingMade(command.name, "ann", command.note))

    def make_makers(tx: Transaction[Any]) -> MakerRuntime:
        return MakerRuntime(tx.outbox)

    return App(
        "workshop",
        wire=InProcess(),
        diagnostics=lambda _: None,
        contexts=[
            makers.bind(make_makers, store=MemoryStore("makers")),
            hearing(handler).bind(make_things, store=MemoryStore("workshop")),
        ],
        **options,
    )


async def letter_of(app: App, name: str = "dune", note: str = "") -> tuple[DeadLetter, str]:
    """Make a thing; return its dead letter and the test that it becomes."""
    async with app.running():
        await app.send(MakeThing(name, note))
        await app.settled()
        [letter] = await app.dead_letters.list()
        return letter, await app.dead_letters.reproduce(letter.id)


def letter_in(text: str) -> str:
    """Return what a reproduced test holds of its letter."""
    [written] = [
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LETTER"
    ]
    return str(ast.literal_eval(written))


async def trouble_of(text: str, handler: Handler, *, answers: Mapping[Any, Any] | None = None) -> Exception | None:
    """Run what a reproduced test would run, with another handler; return what it ends with."""
    return await Replay.of(letter_in(text)).run(hearing(handler), make_things, answers=answers or {})
