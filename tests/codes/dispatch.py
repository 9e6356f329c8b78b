"""Handlers and contexts that are refused: where they are defined, or when an application is built."""

from __future__ import annotations

from functools import partial
from typing import Any, Never, Protocol, TypeAlias

from attrs import frozen

from effect_runtime import A, App, Context, Do, DomainEvent, E, Events, Outbox, Principal, fail, succeed
from effect_runtime.dispatch import Binding
from effect_runtime.errors import Code
from effect_runtime.outbox.memory import MemoryStore
from tests.codes.elsewhere import archive as elsewhere
from tests.codes.elsewhere import stray
from tests.codes.registry import fails_with
from tests.codes.topics import LetterEvents, LetterSent


@frozen
class DeskRuntime:
    """What a command may use."""

    events: Events


@frozen
class OtherRuntime:
    """What another context's commands may use."""

    outbox: Outbox[Any]


class HasPrinter(Protocol):
    """A capability that the desk lacks."""

    @property
    def printer(self) -> object:
        """Return the printer."""


@frozen
class Write:
    """A command."""

    text: str


@frozen
class Torn:
    """A failure."""

    text: str


@frozen
class WrittenOccurred(DomainEvent):
    """A domain event whose handlers may not fail."""

    text: str


Desk: TypeAlias = Do[A, E, DeskRuntime]


def desk(**options: Any) -> Context[DeskRuntime, object]:
    """Return a new context."""
    return Context("desk", DeskRuntime, **options)


def bound(context: Context[Any, Any]) -> Binding:
    """Bind a context to a store; nothing is ever opened."""
    return context.bind(lambda tx: tx, store=MemoryStore())


def build(*contexts: Context[Any, Any], **options: Any) -> None:
    """Verify an application of these contexts."""
    App("letters", contexts=[bound(context) for context in contexts], **options).build()


@fails_with(Code.ER101)
def unannotated_handler() -> None:
    """Leave out the annotations."""

    @desk().command(access="public")
    def write(command):  # type: ignore[no-untyped-def]  # what is refused
        yield from succeed(None)


@fails_with(Code.ER101)
def unresolvable_annotation() -> None:
    """Annotate with a name that does not exist at run time."""
    context = desk()

    @context.command(access="public")
    def write(command: Nowhere) -> Desk[None]:  # type: ignore[name-defined]  # noqa: F821  # what is refused
        yield from succeed(None)

    build(context)


@fails_with(Code.ER101)
def handler_of_two_parameters() -> None:
    """Take a message and something else."""

    @desk().command(access="public")  # type: ignore[arg-type]  # what is refused
    def write(command: Write, twice: bool) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER101)
def handler_that_is_no_function() -> None:
    """Give a function with some of its arguments filled in."""

    def write(desk_number: int, command: Write) -> Desk[None]:
        yield from succeed(None)

    desk().command(access="public")(partial(write, 1))


@fails_with(Code.ER102)
def coroutine_handler() -> None:
    """Write a handler as an `async def`."""

    @desk().command(access="public")  # type: ignore[arg-type]  # what is refused
    async def write(command: Write) -> None: ...


@fails_with(Code.ER103)
def handler_of_a_plain_value() -> None:
    """Return a value instead of a program."""
    context = desk()

    @context.command(access="public")  # type: ignore[arg-type]  # what is refused
    def write(command: Write) -> int:
        return 1

    build(context)


@fails_with(Code.ER104)
def handler_of_another_runtime() -> None:
    """Need the runtime of another context."""
    context = desk()

    @context.command(access="public")  # type: ignore[arg-type]  # what is refused
    def write(command: Write) -> Do[None, Never, OtherRuntime]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER104)
def query_of_a_context_without_reads() -> None:
    """Register a query with a context that names no runtime for queries."""
    context = desk()

    @context.query(access="public")  # type: ignore[arg-type]  # what is refused
    def read(query: Write) -> Desk[int]:
        yield from succeed(None)
        return 1

    build(context)


@fails_with(Code.ER104)
def query_whose_runtime_nobody_makes() -> None:
    """Bind a context with queries without saying how their runtime is built."""
    context = Context("desk", DeskRuntime, reads=DeskRuntime)

    @context.query(access="public")
    def read(query: Write) -> Desk[int]:
        yield from context.reads
        return 1

    build(context)


@fails_with(Code.ER105)
def missing_capability() -> None:
    """Need a service that the runtime does not have."""
    context = desk()

    @context.command(access="public")  # type: ignore[arg-type]  # what is refused
    def write(command: Write) -> Do[None, Never, HasPrinter]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER106)
def two_handlers_for_one_command() -> None:
    """Handle a command twice."""
    context = desk()

    @context.command(access="public")
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)

    @context.command(access="public")
    def write_again(command: Write) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER120)
def topic_without_brackets() -> None:
    """Forget the brackets around the only topic."""
    desk(publishes=LetterEvents)


@fails_with(Code.ER120)
def runtime_that_is_an_instance() -> None:
    """Give a runtime that was made."""
    runtime: Any = DeskRuntime(Events())  # a checker would refuse it below
    Context("desk", runtime)


@fails_with(Code.ER107)
def module_that_does_not_exist() -> None:
    """Name a module that cannot be imported."""
    build(desk(modules=["tests.codes.elsewhere.nowhere"]))


@fails_with(Code.ER107)
def module_that_ends_the_process() -> None:
    """Name a script that calls `sys.exit` as soon as it is imported."""
    build(desk(modules=["tests.codes.elsewhere.quits"]))


@fails_with(Code.ER107)
def modules_that_are_one_text() -> None:
    """Forget the brackets around the only module."""
    desk(modules="tests.codes.dispatch")


@fails_with(Code.ER107)
def module_without_handlers() -> None:
    """Name a module that registers nothing."""
    build(desk(modules=["tests.codes.elsewhere.empty"]))


@fails_with(Code.ER107)
def handler_of_an_unnamed_module() -> None:
    """Register a handler from a module that the context does not name."""
    context = desk(modules=["tests.codes.dispatch"])

    @context.command(access="public")
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)

    stray.register(context)
    build(context)


@fails_with(Code.ER108)
def command_without_access() -> None:
    """Do not say who may use a command."""

    @desk().command()
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER108)
def query_with_an_unknown_access() -> None:
    """Write something that is no decision."""

    @desk(reads=DeskRuntime).query(access="everybody")  # type: ignore[arg-type]  # what is refused
    def read(query: Write) -> Desk[int]:
        yield from succeed(None)
        return 1


@fails_with(Code.ER108)
def policy_that_is_an_async_def() -> None:
    """Ask a policy whose answer nobody awaits: the coroutine itself would count as a yes."""

    async def may_write(principal: Principal, command: Write) -> bool:
        return False

    @desk().command(access=may_write)  # type: ignore[arg-type]  # what is refused
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER108)
def policy_that_is_a_bare_do_block() -> None:
    """Forget `@do` above a policy that reads: the generator itself would count as a yes."""

    def may_write(principal: Principal, command: Write) -> Desk[bool]:
        yield from succeed(None)
        return False

    @desk().command(access=may_write)  # type: ignore[arg-type]  # what is refused
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER108)
def policy_of_one_parameter() -> None:
    """Forget that a policy sees the message too."""

    @desk().command(access=lambda principal: True)  # type: ignore[arg-type, misc]  # what is refused
    def write(command: Write) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER109)
def answer_that_cannot_be_stored() -> None:
    """Answer with something that has no form outside the process."""
    context = desk()

    @context.command(access="public")
    def write(command: Write) -> Desk[memoryview]:
        yield from succeed(None)
        return memoryview(b"")

    build(context)


@fails_with(Code.ER110)
def handler_of_a_foreign_domain_event() -> None:
    """Handle what happened inside another context."""
    context = desk()

    @context.on(elsewhere.FiledOccurred)
    def hear(event: elsewhere.FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context, elsewhere.archive)


@fails_with(Code.ER111)
def handler_of_a_foreign_command() -> None:
    """Handle a command that another context defines."""
    context = desk()

    @context.command(access="public")
    def file_away(command: elsewhere.FileAway) -> Desk[None]:
        yield from succeed(None)

    build(context, elsewhere.archive)


@fails_with(Code.ER112)
def veto_that_the_event_does_not_declare() -> None:
    """Fail in a domain event's handler with more than the event says."""
    context = desk()

    @context.on(WrittenOccurred)  # type: ignore[arg-type]  # what is refused
    def tear(event: WrittenOccurred) -> Desk[None, Torn]:
        yield from fail(Torn(event.text))

    build(context)


@fails_with(Code.ER113)
def handler_of_something_that_is_no_domain_event() -> None:
    """Handle an integration event as if it were a domain event."""

    @desk().on(LetterSent)  # type: ignore[arg-type]  # what is refused
    def hear(event: LetterSent) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER113)
def handler_of_no_event() -> None:
    """Forget to say which event."""

    @desk().on  # type: ignore[arg-type]  # what is refused
    def hear(event: WrittenOccurred) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER209)
def runtime_that_publishes_a_foreign_topic() -> None:
    """Give a runtime the outbox of a topic that its context does not own."""

    @frozen
    class PublishingRuntime:
        outbox: Outbox[LetterEvents]

    build(Context("desk", PublishingRuntime))
