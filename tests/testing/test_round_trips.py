"""Round trips for free, and what breaks them."""

from __future__ import annotations

import pytest
from attrs import field, frozen
from hypothesis import strategies as st

from effect_runtime import App, Context, Topic, integration_event, succeed
from effect_runtime.effect import Eff
from effect_runtime.errors import NotRoundTripping
from effect_runtime.integration import Envelope, Payload, upcaster
from effect_runtime.manifest import WireManifest, wire_manifest
from effect_runtime.testing.properties import assert_round_trips
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._round_trips import trips_of
from library_example.app import WIRE, library_in_memory
from library_example.catalog.domain import Isbn, check_digit
from library_example.contracts import LendingEvents

ISBNS = (
    st.integers(0, 10**9 - 1).map(lambda number: f"978{number:09d}").map(lambda text: Isbn(text + check_digit(text)))
)


class ParcelEvents(Topic, name="parcels"):
    """Events of two ages."""

    __slots__ = ()


@frozen
@integration_event("parcels.sent", key="parcel")
class SentOnce(ParcelEvents):
    """An event as it was at first."""

    parcel: str
    grams: int


FIRST = wire_manifest({ParcelEvents: None})


class LaterEvents(Topic, name="parcels"):
    """The same topic, later."""

    __slots__ = ()


def weigh(event: object, attribute: object, value: float) -> None:
    """Refuse what is lighter than nothing."""
    if value < 0:
        raise ValueError(f"{value} kg is less than nothing.")


@frozen
@integration_event("parcels.sent", version=2, key="parcel")
class Sent(LaterEvents):
    """The event today: heavier than nothing, which the first version did not ask."""

    parcel: str
    kilograms: float = field(validator=weigh)


@upcaster(Sent, version=1)
def in_kilograms(payload: Payload, envelope: Envelope) -> Payload:
    """Divide, and forget that grams may be negative."""
    return {"parcel": payload["parcel"], "kilograms": payload["grams"] / 1000}


def louder(text: str) -> str:
    """Add a sign."""
    return text + "!"


def heavier(items: tuple[int, ...]) -> tuple[int, ...]:
    """Add an item."""
    return (*items, 0)


class LossyEvents(Topic, name="lossy"):
    """An event that changes when it is read."""

    __slots__ = ()


@frozen
@integration_event("lossy.said")
class Said(LossyEvents):
    """An event with a converter that does something each time."""

    text: str = field(converter=louder)


def test_everything_that_the_library_writes_can_be_read() -> None:
    """Events of both versions, stored records, commands and answers of the example survive their encoding."""
    assert_round_trips(library_in_memory(), manifest=WireManifest.from_file(WIRE), overrides={Isbn: ISBNS}, examples=10)


def test_what_travels_is_listed() -> None:
    """Each event has a trip for each version that the manifest knows."""
    trips = trips_of(LendingEvents, WireManifest.from_file(WIRE), Derivation())
    assert [trip.subject for trip in trips] == [
        "lending.book-borrowed version 2",
        "lending.book-borrowed version 1",
        "lending.book-returned version 2",
        "lending.book-returned version 1",
        "lending.hold-placed version 1",
    ]


def test_an_application_lists_stored_records_commands_and_answers() -> None:
    """Beside its topics an application has what it stores for itself."""
    subjects = [trip.subject for trip in trips_of(library_in_memory(), None, Derivation(overrides={Isbn: ISBNS}))]
    assert {"stored MarkOverdue", "command lending.borrow_book", "the answer of lending.borrow_book"} <= set(subjects)
    assert len(subjects) == len(set(subjects))


def test_a_value_that_changes_on_its_way_is_shown() -> None:
    """The simplest value is shown as it was written and as it was read."""
    with pytest.raises(NotRoundTripping) as caught:
        assert_round_trips(LossyEvents)
    assert str(caught.value) == (
        "lossy.said version 1 does not survive its own encoding\n"
        "  written: Said(text='!')\n"
        "  read:    Said(text='!!')\n"
        "Make its converters and validators take what they produce, or correct the upcaster."
    )


def test_an_older_version_that_cannot_be_brought_up_to_date_is_shown() -> None:
    """A payload of the committed shape that the upcaster and the class do not take is a failure."""
    with pytest.raises(NotRoundTripping) as caught:
        assert_round_trips(LaterEvents, manifest=FIRST)
    assert caught.value.subject == "parcels.sent version 1"
    assert "-0.001 kg is less than nothing" in caught.value.outcome


def test_without_a_manifest_nobody_knows_older_versions() -> None:
    """Then the current version alone travels."""
    assert_round_trips(LaterEvents, overrides={Sent.kilograms: st.floats(0, 10)})


@frozen
class Count:
    """A command whose answer grows each time it is read."""

    number: int


@frozen
class Bag:
    """An answer with a converter that does something each time."""

    items: tuple[int, ...] = field(converter=heavier)


clocks = Context("clocks", object)


@clocks.command(access="public")
def count(command: Count) -> Eff[Bag]:
    """Answer with a bag."""
    return succeed(Bag((command.number,)))


def test_an_answer_that_is_not_what_it_was_is_shown() -> None:
    """What a command answers is stored and read, too."""
    with pytest.raises(NotRoundTripping) as caught:
        assert_round_trips(clocks)
    assert (caught.value.subject, caught.value.value, caught.value.outcome) == (
        "the answer of clocks.count",
        "Bag(items=(0,))",
        "Bag(items=(0, 0))",
    )


def test_the_modules_of_an_application_are_imported_first() -> None:
    """An application knows its handlers once it is built, which the assertion does itself."""
    app: App = library_in_memory()
    assert (
        next(iter(trips_of(app, None, Derivation(overrides={Isbn: ISBNS})))).subject == "catalog.book-added version 1"
    )
