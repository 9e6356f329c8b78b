"""Topics and events as they are defined: what is recorded, what is refused, and how the refusal reads."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import define, field, frozen

from effect_runtime.errors import ConfigurationError, Fault
from effect_runtime.integration import (
    Topic,
    WireIdentity,
    event_faults,
    event_identity,
    integration_event,
    registry_faults,
    topic_events,
    topic_faults,
    topic_name,
    upcaster,
    value_record,
)
from tests.integration.contracts import BookBorrowed, EverythingTold, LendingEvents, LibraryOpened


class Letters(Topic, name="letters"):
    """A topic to refuse events in."""

    __slots__ = ()


class Keyed(Topic, name="keyed"):
    """A topic whose events may be accepted: none of the others must hold what another test has defined."""

    __slots__ = ()


class Later(Topic, name="later"):
    """A topic whose event is defined before the type of its field."""

    __slots__ = ()


@frozen
@integration_event("later.stamp-sold", key="stamp")
class StampSold(Later):
    """Names a type that follows."""

    stamp: Stamp


@frozen
class Stamp:
    """A typed id, defined after its use."""

    number: int


@value_record
@define
class Draft:
    """A value record that can be changed."""

    text: str


@frozen
class Address:
    """A nested class that was not opted in."""

    street: str
    town: str


@value_record
@frozen
class Parcel:
    """A value record with a faulty part."""

    sender: Address
    contents: tuple[object, ...]


def refusal(*, of: str) -> ConfigurationError:
    """Define one event with one field of this type, and return the refusal."""
    with pytest.raises(ConfigurationError) as caught:
        frozen(
            integration_event("letters.letter-sent")(
                type("LetterSent", (Letters,), {"__annotations__": {"content": of}, "__module__": __name__})
            )
        )
    return caught.value


def test_a_topic_knows_its_name_and_its_events_in_order() -> None:
    """Each event is recorded once, as the class that attrs made last."""
    assert topic_name(LendingEvents) == "lending"
    assert topic_events(LendingEvents) == (BookBorrowed, EverythingTold, LibraryOpened)


def test_an_event_knows_its_identity_and_its_topic() -> None:
    """The identity is data, whatever the class is called."""
    assert topic_name(BookBorrowed) == "lending"
    assert event_identity(BookBorrowed) == WireIdentity(
        name="lending.book-borrowed", version=3, key="book_id", oldest=1, formerly=("lending.book-lent",)
    )


def test_an_event_has_slots_and_no_dict() -> None:
    """`Topic` has empty slots, so attrs events stay small and refuse stray attributes."""
    assert not hasattr(LibraryOpened(), "__dict__")


def test_sound_topics_have_no_faults() -> None:
    """Every kind of flat field is accepted."""
    assert registry_faults([LendingEvents, LendingEvents]) == ()


def test_a_type_that_follows_in_the_module_is_checked_when_contexts_are_built() -> None:
    """The definition waits for what it cannot see yet, and building finds it sound."""
    assert topic_faults(Later) == ()


def test_an_event_without_slots_is_recorded_once() -> None:
    """attrs patches such a class in place; it is one event all the same."""

    class Parcels(Topic, name="parcels"):
        __slots__ = ()

    @frozen(slots=False)
    @integration_event("parcels.parcel-sent")
    class ParcelSent(Parcels):
        parcel: str

    assert (topic_events(Parcels), topic_faults(Parcels)) == ((ParcelSent,), ())


def test_all_faults_of_an_event_are_reported_at_once() -> None:
    """Identity, version, key, mutability and each field: one error with every code."""
    with pytest.raises(ConfigurationError) as caught:

        @define
        @integration_event("Letter", version=0, key="recipient")
        class LetterSent(Letters):
            pages: list[str]
            sender: object

    assert caught.value.codes == ("ER203", "ER203", "ER207", "ER206", "ER208", "ER205")


def test_a_refusal_names_the_line_the_fault_and_the_fix() -> None:
    """The place is the class statement, in the form that editors open."""
    with pytest.raises(ConfigurationError) as caught:

        @frozen
        class LetterSent(Letters):
            text: str

    (fault,) = caught.value.exceptions
    assert isinstance(fault, Fault)
    place, _, name = fault.place.rpartition(" ")  # the path may have blanks of its own
    file, _, line = place.rpartition(":")
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    assert [text.strip() for text in lines[int(line) - 1 : int(line) + 1]] == ["@frozen", "class LetterSent(Letters):"]
    assert name == f"{__name__}.test_a_refusal_names_the_line_the_fault_and_the_fix.<locals>.LetterSent"
    assert str(fault) == (
        f"ER201 {fault.place}: LetterSent has no wire identity. "
        'Write @integration_event("context.what-happened", key="field") below @frozen, right above the class.'
    )


def test_a_refused_event_is_forgotten() -> None:
    """Building the contexts does not report it a second time."""
    with pytest.raises(ConfigurationError):

        @frozen
        class LetterSent(Letters):
            text: str

    assert (topic_events(Letters), topic_faults(Letters)) == ((), ())


@pytest.mark.parametrize(
    ("annotation", "codes", "problem"),
    [
        ("list[int]", ("ER206",), "'content' of LetterSent: list[int] is a mutable or nested collection"),
        ("frozenset[int]", ("ER206",), "'content' of LetterSent: frozenset[int] is a mutable or nested collection"),
        ("dict[str, int]", ("ER206",), "'content' of LetterSent: dict[str, int] is a mutable or nested collection"),
        ("tuple[tuple[int, ...], ...]", ("ER206",), "'content[]' of LetterSent: a tuple within a tuple"),
        ("Address", ("ER206",), "'content' of LetterSent: Address is a nested class without @value_record"),
        ("tuple[Address, ...]", ("ER206",), "'content[]' of LetterSent: Address is a nested class without"),
        ("Address | Parcel", ("ER206", "ER206", "ER208"), "has more than one alternative beside None"),
        ("Draft", ("ER206",), "'content' of LetterSent: Draft is a value record that is not frozen"),
        ("None", ("ER206",), "'content' of LetterSent: None is no value of a field"),
        ("Parcel", ("ER206", "ER208"), "'content.sender' of LetterSent: Address is a nested class without"),
        ("Any", ("ER208",), "'content' of LetterSent: Any has no form on the wire"),
        ("tuple", ("ER208",), "'content' of LetterSent: a bare tuple does not say what it holds"),
        ("int | str", ("ER206", "ER208"), "int | str mixes types that are not all attrs classes"),
        ("complex", ("ER208",), "'content' of LetterSent: complex has no form on the wire"),
        ("Path", ("ER208",), "'content' of LetterSent: Path has no form on the wire"),
    ],
)
def test_a_field_is_flat_or_refused_by_its_type(annotation: str, codes: tuple[str, ...], problem: str) -> None:
    """The path leads to the type at fault, through records and tuples."""
    error = refusal(of=annotation)
    assert error.codes == codes
    assert problem in str(error)


@pytest.mark.parametrize("annotation", ["str", "Stamp", "Stamp | None", "tuple[Stamp | None, ...]", "bytes"])
def test_a_flat_field_is_accepted(annotation: str) -> None:
    """Scalars, typed ids, optional ones and tuples of those."""

    class Parcels(Topic, name="parcels"):
        __slots__ = ()

    fields = {"__annotations__": {"content": annotation}, "__module__": __name__}
    frozen(integration_event("parcels.parcel-sent")(type("ParcelSent", (Parcels,), fields)))
    assert topic_faults(Parcels) == ()


@pytest.mark.parametrize("kind", ["str", "int", "bool", "UUID", "date", "Condition", "BookId", "Isbn"])
def test_a_scalar_with_one_spelling_is_a_key(kind: str) -> None:
    """Equal values are equal texts, so they share a lane."""
    assert key_faults(kind) == ()


@pytest.mark.parametrize("kind", ["float", "Decimal", "datetime", "bytes", "str | None", "Fee", "tuple[int, ...]"])
def test_anything_else_is_no_key(kind: str) -> None:
    """Decimal('1.0') equals Decimal('1'), and their texts differ; None is no key at all."""
    assert [fault.code.name for fault in key_faults(kind)] == ["ER205"]


def key_faults(kind: str) -> tuple[Any, ...]:
    """Return the faults of an event whose key has this type."""
    cls: Any = type("LetterSent", (Keyed,), {"__annotations__": {"id": kind}, "__module__": BookBorrowed.__module__})
    try:
        frozen(integration_event("keyed.letter-sent", key="id")(cls))
    except ConfigurationError as error:
        return error.exceptions
    return ()


def test_a_field_that_no_caller_gives_is_not_on_the_wire() -> None:
    """`init=False` fields are derived, so they may have any type."""

    class Parcels(Topic, name="parcels"):
        __slots__ = ()

    @frozen
    @integration_event("parcels.parcel-sent")
    class ParcelSent(Parcels):
        parcel: str
        label: object = field(init=False, default=None)

    assert topic_faults(Parcels) == ()


def test_a_module_that_is_loaded_again_replaces_its_events(tmp_path: Path) -> None:
    """Reloading in a notebook makes no duplicates, of events or of upcasters."""
    source = (
        "from attrs import frozen\n"
        "from effect_runtime.integration import integration_event, upcaster\n"
        "from tests.integration.test_definition import Reloaded\n"
        "@frozen\n"
        "@integration_event('reloaded.thing-done', version=2)\n"
        "class ThingDone(Reloaded):\n"
        "    thing: str\n"
        "@upcaster(ThingDone, version=1)\n"
        "def from_one(payload, envelope):\n"
        "    return payload\n"
    )
    (tmp_path / "reloaded_contracts.py").write_text(source)
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module("reloaded_contracts")
        module = importlib.reload(module)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("reloaded_contracts", None)
    assert topic_events(Reloaded) == (module.ThingDone,)
    assert topic_faults(Reloaded) == ()


class Reloaded(Topic, name="reloaded"):
    """A topic whose contracts are loaded twice."""

    __slots__ = ()


def test_a_topic_made_by_attrs_keeps_its_name() -> None:
    """attrs builds it a second time without the class keywords; that is no second topic and no event."""

    @frozen
    class Parcels(Topic, name="parcels"):
        pass

    assert (topic_name(Parcels), topic_events(Parcels), topic_faults(Parcels)) == ("parcels", (), ())


def test_faults_of_one_class_can_be_asked_for() -> None:
    """A tool may look at a class without raising."""
    assert event_faults(BookBorrowed) == ()
    assert [fault.code.name for fault in event_faults(Letters)] == ["ER201", "ER207"]


def test_a_class_that_is_no_topic_is_reported_as_such() -> None:
    """`publishes=[Address]` is a fault, not a crash."""
    assert [fault.code.name for fault in topic_faults(Address)] == ["ER212"]


def test_an_async_upcaster_is_refused() -> None:
    """Upcasters are pure functions: nobody would await it."""

    async def from_nothing(payload: Any, envelope: Any) -> Any:
        return payload

    with pytest.raises(ConfigurationError) as caught:
        upcaster(BookBorrowed, version=1)(from_nothing)  # type: ignore[type-var]  # the point of this test
    assert caught.value.codes == ("ER211",)


def test_a_class_in_a_file_that_is_not_python_is_reported_by_its_name(tmp_path: Path) -> None:
    """A notebook or a page of the docs cannot be parsed for a line number; the refusal must not fail over that."""
    page = tmp_path / "page.md"
    page.write_text("It isn't Python.\n")
    module = ModuleType("page")
    module.__file__ = str(page)
    sys.modules["page"] = module
    try:
        with pytest.raises(ConfigurationError) as caught:
            exec(
                "from attrs import frozen\n@frozen\nclass Nameless(Letters):\n    pass\n",
                module.__dict__ | {"Letters": Letters},
            )
    finally:
        del sys.modules["page"]
    assert [(fault.code.name, fault.place) for fault in caught.value.faults] == [("ER201", "page.Nameless")]
