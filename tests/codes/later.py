"""After-commit handlers, queues and due commands that are refused."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import DomainEvent, succeed
from effect_runtime.dispatch import EventQueue, stored
from effect_runtime.errors import Code
from tests.codes.dispatch import Desk, WrittenOccurred, build, desk
from tests.codes.elsewhere import archive, stray
from tests.codes.registry import fails_with
from tests.codes.topics import LetterSent

mail = EventQueue("mail")
memory = EventQueue("memory", durable=False)


@frozen
@stored("desk.letter-filed")
class FiledOccurred(DomainEvent):
    """An event that a durable queue may journal."""

    letter: str
    pages: float


@frozen
@stored("desk.letter-filed")
class FiledAgain:
    """A command that takes the identity of an event."""

    letter: str


@frozen
@stored("desk.read", version=2)
class Read:
    """A command whose first version nobody can read."""

    letter: str


@frozen
@stored("desk.sort")
class Sort:
    """A command that is not flat."""

    letters: list[str]


@fails_with(Code.ER101)
def unannotated_after_commit() -> None:
    """Leave out the annotations."""

    @desk().after_commit(FiledOccurred, queue=mail)
    def tell(event):  # type: ignore[no-untyped-def]  # what is refused
        yield from succeed(None)


@fails_with(Code.ER101)
def after_commit_of_another_event() -> None:
    """Annotate the handler with another event than it is registered for."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=mail)  # type: ignore[arg-type]  # what is refused
    def tell(event: WrittenOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER102)
def coroutine_after_commit() -> None:
    """Write an after-commit handler as an `async def`."""

    @desk().after_commit(FiledOccurred, queue=mail)  # type: ignore[arg-type]  # what is refused
    async def tell(event: FiledOccurred) -> None: ...


@fails_with(Code.ER110)
def after_commit_of_a_foreign_event() -> None:
    """Hear, after the commit, what happened inside another context."""
    context = desk()

    @context.after_commit(archive.FiledOccurred, queue=memory)
    def tell(event: archive.FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context, archive.archive)


@fails_with(Code.ER113)
def after_commit_of_a_topics_event() -> None:
    """Hear an integration event after the commit."""

    @desk().after_commit(LetterSent, queue=mail)  # type: ignore[type-var]  # what is refused
    def tell(event: LetterSent) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER114)
def journalled_event_without_identity() -> None:
    """Give an event that cannot be stored to a durable queue."""
    context = desk()

    @context.after_commit(WrittenOccurred, queue=mail)
    def tell(event: WrittenOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER115)
def stored_identity_of_two_classes() -> None:
    """Give an event and a command one stored identity."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    @context.command(access="internal")
    def again(command: FiledAgain) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER116)
def key_that_is_no_field() -> None:
    """Order events by a field that they lack."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=mail, key="lettre")
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER116)
def key_without_a_spelling() -> None:
    """Order events by a number that has more than one text."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=memory, key="pages")
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER117)
def two_handlers_of_one_title() -> None:
    """Let an id= collide with a function's name."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    @context.after_commit(FiledOccurred, queue=mail, id="tell")
    def tell_again(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER118)
def two_queues_of_one_name() -> None:
    """Define a queue twice, differently."""
    context = desk()

    @context.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    @context.after_commit(FiledOccurred, queue=EventQueue("mail", capacity=1))
    def count(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER119)
def queue_without_room() -> None:
    """Define a queue that can hold nothing."""
    EventQueue("mail", capacity=0)


@fails_with(Code.ER119)
def queue_that_is_only_a_name() -> None:
    """Name a queue where one is to be given."""

    @desk().after_commit(FiledOccurred, queue="mail")  # type: ignore[arg-type]  # what is refused
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)


@fails_with(Code.ER119)
def queue_with_a_negative_timeout() -> None:
    """Define a queue that ends waiting before it begins."""
    EventQueue("mail", timeout=timedelta(seconds=-1))


@fails_with(Code.ER206)
def due_command_that_nests() -> None:
    """Store a command with a list."""
    context = desk()

    @context.command(access="internal")
    def sort(command: Sort) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER211)
def due_command_with_an_unread_past() -> None:
    """Leave out how the first version of a command is read."""
    context = desk()

    @context.command(access="internal")
    def read(command: Read) -> Desk[None]:
        yield from succeed(None)

    build(context)


@fails_with(Code.ER107)
def after_commit_of_an_unnamed_module() -> None:
    """Register an after-commit handler from a module that the context does not name."""
    context = desk(modules=["tests.codes.elsewhere.stray"])
    stray.register(context)

    @context.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Desk[None]:
        yield from succeed(None)

    build(context)
