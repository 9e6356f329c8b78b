"""Stored identities: what a context writes for itself is flat, versioned, and read after its class has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime import DomainEvent
from effect_runtime.errors import BadPayload, ConfigurationError, UndecodableMessage, UnknownEvent
from effect_runtime.integration import (
    Envelope,
    StoredForm,
    StoredRegistry,
    stored,
    stored_faults,
    stored_identity,
    stored_upcaster,
)
from tests.outbox.stores.world import NOON


@frozen
@stored("lending.loan-due", version=3, formerly=("lending.loan-expired",))
class LoanDueOccurred(DomainEvent):
    """A loan is due."""

    loan: str
    days: int = 0


@stored_upcaster(LoanDueOccurred, version=1)
def loan_was_a_number(payload: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
    """Spell the loan."""
    return {**payload, "loan": str(payload["loan"])}


@stored_upcaster(LoanDueOccurred, version=2)
def days_were_hours(payload: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
    """Count days."""
    return {"loan": payload["loan"], "days": payload.get("hours", 0) // 24}


@frozen
@stored("lending.mark-overdue")
class MarkOverdue:
    """A command without fields."""


class Plain:
    """Nothing of all that."""


registry = StoredRegistry((LoanDueOccurred, MarkOverdue, LoanDueOccurred, Plain))


def enveloped(form: StoredForm) -> Envelope:
    """Put a stored form into an envelope."""
    return Envelope(
        id="i-1",
        source="/x",
        type=form.name,
        version=form.version,
        topic="mail",
        time=NOON,
        data=form.data,
        correlation="c-1",
    )


@given(loan=st.text(st.characters(codec="utf-8")), days=st.integers())
def test_what_is_stored_is_read_again(loan: str, days: int) -> None:
    """For every value that fits the annotations and JSON."""
    event = LoanDueOccurred(loan, days)
    assert registry.decode(enveloped(registry.encode(event))) == event


def test_a_record_is_stored_under_its_identity() -> None:
    """As its current version, in the one spelling of JSON."""
    assert registry.encode(LoanDueOccurred("l-1", 2)) == StoredForm("lending.loan-due", 3, b'{"days":2,"loan":"l-1"}')
    assert registry.encode(MarkOverdue()) == StoredForm("lending.mark-overdue", 1, b"{}")


@pytest.mark.parametrize(
    "form",
    [
        StoredForm("lending.loan-due", 1, b'{"loan":7,"hours":48}'),
        StoredForm("lending.loan-due", 2, b'{"loan":"7","hours":50}'),
        StoredForm("lending.loan-due", 3, b'{"loan":"7","days":2,"more":true}'),
        StoredForm("lending.loan-expired", 3, b'{"loan":"7","days":2}'),
    ],
)
def test_older_versions_and_former_names_are_read(form: StoredForm) -> None:
    """Upcast step by step; unknown fields are ignored."""
    assert registry.decode(enveloped(form)) == LoanDueOccurred("7", 2)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (StoredForm("lending.loan-due", 4, b"{}"), UnknownEvent),
        (StoredForm("lending.loan-due", 0, b"{}"), UnknownEvent),
        (StoredForm("lending.nothing", 1, b"{}"), UnknownEvent),
        (StoredForm("lending.loan-due", 3, b"[]"), BadPayload),
        (StoredForm("lending.loan-due", 3, b"{"), BadPayload),
        (StoredForm("lending.loan-due", 3, b'{"days":"two"}'), BadPayload),
        (StoredForm("lending.loan-due", 1, b"{}"), BadPayload),
    ],
)
def test_what_cannot_be_read_is_undecodable(form: StoredForm, error: type[UndecodableMessage]) -> None:
    """One family of errors, whatever the bytes are."""
    with pytest.raises(error):
        registry.decode(enveloped(form))


def test_a_registry_knows_what_has_an_identity() -> None:
    """Classes without one are left out; the identity is that of this very class, not of a base."""

    @frozen
    class DerivedOccurred(LoanDueOccurred):
        """An event that inherits."""

    identity = registry.identity_of(LoanDueOccurred)
    assert identity is not None
    assert (identity.name, identity.version, identity.names) == (
        "lending.loan-due",
        3,
        ("lending.loan-due", "lending.loan-expired"),
    )
    assert (registry.identity_of(Plain), registry.identity_of(DerivedOccurred)) == (None, None)
    assert stored_identity(DerivedOccurred) is None
    assert StoredRegistry((MarkOverdue,)) == StoredRegistry((MarkOverdue, MarkOverdue))


def test_sound_classes_have_no_faults() -> None:
    """Slots build each class twice; both builds are one."""
    assert stored_faults((LoanDueOccurred, MarkOverdue, LoanDueOccurred)) == ()


def test_all_faults_of_all_classes_are_told_at_once() -> None:
    """The same field rules and codes as for contracts."""

    @stored("lending.mutable")
    @define
    class Mutable:
        """Can be changed, and nests."""

        books: list[str]

    @frozen
    @stored("Not An Identity")
    class Malformed:
        """Has a bad name, and a field without a form."""

        thing: object

    @frozen
    class Nameless:
        """Has no identity."""

    @frozen
    @stored("lending.mark-overdue", version=2)
    class Twin:
        """Takes a name, and lacks a step."""

    faults = stored_faults((Mutable, Malformed, Nameless, MarkOverdue, Twin))
    assert [fault.code.name for fault in faults] == ["ER207", "ER206", "ER203", "ER208", "ER114", "ER211", "ER115"]


def test_an_upcaster_belongs_to_a_stored_class() -> None:
    """A class without identity, or a coroutine function, is refused where it is written."""
    with pytest.raises(ConfigurationError) as refused:
        stored_upcaster(Plain, version=1)(loan_was_a_number)
    assert refused.value.codes == ("ER211",)

    async def later(payload: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
        return payload

    with pytest.raises(ConfigurationError):
        stored_upcaster(LoanDueOccurred, version=1)(later)  # type: ignore[type-var]  # what is refused


def test_a_broken_upcaster_is_a_bad_payload() -> None:
    """Its error is told, and nothing of it escapes."""

    @frozen
    @stored("lending.broken", version=2)
    class Broken:
        """A class whose past cannot be read."""

    @stored_upcaster(Broken, version=1)
    def stumble(payload: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
        raise RuntimeError("bug")

    form = StoredForm("lending.broken", 1, b"{}")
    with pytest.raises(BadPayload, match="RuntimeError: bug"):
        StoredRegistry((Broken,)).decode(enveloped(form))
    assert StoredRegistry((Broken,)).decode(enveloped(evolve(form, version=2))) == Broken()
