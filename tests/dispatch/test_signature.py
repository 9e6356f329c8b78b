"""What annotations say of a handler, without running anything."""

from __future__ import annotations

from typing import Any, Never, NewType, Protocol, TypeAlias

import pytest
from attrs import frozen

from effect_runtime import A, Context, Do, DomainEvent, E, Eff, Events, Refused, do, succeed
from effect_runtime.dispatch import Signature, context_faults
from effect_runtime.errors import ConfigurationError, Fault
from tests.dispatch.world import Missing, Refusal

NoteId = NewType("NoteId", str)


@frozen
class DeskRuntime:
    """A runtime."""

    events: Events


class HasEvents(Protocol):
    """A part of it."""

    @property
    def events(self) -> Events:
        """Return the queue."""
        ...


@frozen
class Write:
    """A command."""

    text: str


Desk: TypeAlias = Do[A, E, DeskRuntime]


def signature_of(function: Any) -> Signature | Fault:
    """Register a handler and read its types."""
    context = Context("desk", DeskRuntime)
    return context.command(access="public")(function).signature()


def total(command: Write) -> Desk[NoteId]:
    """Fail with nothing."""
    yield from succeed(None)
    return NoteId("1")


def failing(command: Write) -> Desk[None, Missing | Refusal | Refused]:
    """Fail in four ways."""
    yield from succeed(None)


def narrow(command: Write) -> Do[int, Never, HasEvents]:
    """Need less than there is."""
    yield from succeed(None)
    return 1


def as_effect(command: Write) -> Eff[int, Missing]:
    """Return an effect instead of being a do-block."""
    return succeed(1)


def untold(command: Write) -> Eff[int, Any, Any]:
    """Say nothing about failures."""
    return succeed(1)


@do
def wrapped(command: Write) -> Desk[int, Missing]:
    """Be a do-block already."""
    yield from succeed(None)
    return 1


def test_the_short_alias_of_a_context_is_read() -> None:
    """`Lending[A]` means no failure, `Lending[A, E]` lists them, aliases of unions are opened."""
    from_total, from_failing = signature_of(total), signature_of(failing)
    assert from_total == Signature(Write, NoteId, (), DeskRuntime)
    assert isinstance(from_failing, Signature)
    assert [kind.__name__ for kind in from_failing.failures or ()] == ["Missing", "Refusal", "Invalid", "Forbidden"]


def test_do_and_eff_are_read_alike() -> None:
    """Whatever form a handler has, its three types are found."""
    assert signature_of(narrow) == Signature(Write, int, (), HasEvents)
    assert signature_of(as_effect) == Signature(Write, int, (Missing,), object)
    assert signature_of(wrapped) == Signature(Write, int, (Missing,), DeskRuntime)
    assert signature_of(untold) == Signature(Write, int, None, Any)


def test_a_sound_context_has_no_faults() -> None:
    """Verification is silent where there is nothing to say."""
    context = Context("desk", DeskRuntime)
    context.command(access="public")(narrow)
    assert context_faults(context) == ()


def test_all_faults_of_a_definition_are_told_at_once() -> None:
    """Annotations and access are both missing; both are named, with file and line."""
    context = Context("desk", DeskRuntime)

    def write(command):  # type: ignore[no-untyped-def]  # what is refused
        yield from succeed(None)

    with pytest.raises(ConfigurationError) as caught:
        context.command()(write)
    assert caught.value.codes == ("ER101", "ER108")
    assert all("test_signature.py:" in str(fault) for fault in caught.value.exceptions)
    assert context.commands == []


def test_a_handler_annotated_with_another_event_is_refused() -> None:
    """The parameter of an event's handler must take that event."""

    @frozen
    class WrittenOccurred(DomainEvent):
        text: str

    unchecked: Any = wrapped
    context = Context("desk", DeskRuntime)
    context.on(WrittenOccurred)(unchecked)
    assert [fault.code.name for fault in context_faults(context)] == ["ER101", "ER112"]
