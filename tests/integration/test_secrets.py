"""What is secret by its type is covered in JSON, wherever in a value it stands, and blanks of its type stand for it."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Generic, NewType, TypeVar

import pytest
from attrs import field, frozen
from attrs.validators import matches_re
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.integration import (
    COVER,
    FieldError,
    FieldErrors,
    Redacted,
    Secrets,
    encode_value,
    shown_value,
    structure_all,
    structure_value,
    uncovered,
)

T = TypeVar("T")

Phone = NewType("Phone", str)


@frozen
class Email:
    """A typed id with a validator that no blank would pass."""

    text: str = field(validator=matches_re(r"[^@]+@[^@]+"))


class Rank(Enum):
    """A secret choice."""

    LOW = "low"
    HIGH = "high"


@frozen
class Person:
    """Somebody, of whom one may know the name."""

    name: str
    email: Email
    pin: Redacted[int]
    phones: tuple[Phone, ...] = ()
    other: Email | None = None


@frozen
class Firm:
    """Somebody else."""

    name: str


SECRETS = Secrets([Email, Phone, Rank])
ANN = Person("ann", Email("ann@example.org"), 7, (Phone("1"), Phone("2")), Email("a@b"))


def form(value: object, kind: Any) -> Any:
    """Return the JSON form of a value."""
    return json.loads(encode_value(value, kind))


PERSON = {"email": COVER, "name": "ann", "other": COVER, "phones": [COVER, COVER], "pin": COVER}

COVERED = [
    pytest.param(ANN, Person, PERSON, id="fields"),
    pytest.param(Email("a@b"), Email, COVER, id="the value itself"),
    pytest.param([ANN], list[Person], [PERSON], id="items"),
    pytest.param((1, Phone("3")), tuple[int, Phone], [1, COVER], id="places"),
    pytest.param({"x": Rank.LOW}, dict[str, Rank], {"x": COVER}, id="members"),
    pytest.param({Phone("3"): 1}, dict[Phone, int], COVER, id="names of members"),
    pytest.param(ANN, Person | Firm, {"$type": "Person", **PERSON}, id="union"),
    pytest.param(Firm("x"), Person | Firm, {"$type": "Firm", "name": "x"}, id="the other of a union"),
    pytest.param(None, Email | None, None, id="nothing"),
    pytest.param("plain", str, "plain", id="nothing secret"),
]


@pytest.mark.parametrize(("value", "kind", "expected"), COVERED)
def test_secrets_are_covered_wherever_they_stand(value: object, kind: Any, expected: object) -> None:
    """By the annotation of their place, and nothing else is."""
    assert SECRETS.covered(form(value, kind), kind) == expected


def test_a_blank_of_the_same_type_stands_for_a_secret() -> None:
    """So that what was covered can be read, although no validator would let the blank pass."""
    read = structure_value(Person, uncovered(PERSON, Person))
    assert (read.name, read.pin, read.phones, type(read.email)) == ("ann", 0, (COVER, COVER), Email)
    assert Secrets([Email, Phone]).covered(form(read, Person), Person) == PERSON


@given(st.builds(Person, st.text(), st.just(Email("s@s")), st.integers(), st.lists(st.text()).map(tuple)))
def test_what_was_covered_tells_nothing_of_the_secrets(person: Person) -> None:
    """Two people who differ in secrets alone are covered alike, up to how many there are."""
    twin = Person(person.name, Email("t@t"), person.pin + 1, tuple(Phone(f"+{each}") for each in person.phones))
    assert SECRETS.covered(form(person, Person), Person) == SECRETS.covered(form(twin, Person), Person)


@given(st.builds(Firm, st.text()))
def test_what_has_no_secret_is_read_back_whole(firm: Firm) -> None:
    """Unless its text is the cover, which is then read as such."""
    assert structure_value(Firm, uncovered(SECRETS.covered(form(firm, Firm), Firm), Firm)) == firm


class Unknown:
    """An object that spells a secret if it is asked."""

    def __repr__(self) -> str:
        return "secret"


@frozen
class Box(Generic[T]):
    """Whatever is put into it."""

    item: T


SHOWN = [
    pytest.param(Firm("x"), Firm, "Firm(name='x')", id="fields"),
    pytest.param(Email("a@b"), Any, COVER, id="by its class"),
    pytest.param(Phone("1"), Phone, COVER, id="by its annotation"),
    pytest.param([Email("a@b"), 1], Any, f"[{COVER}, 1]", id="items"),
    pytest.param({"b": Rank.LOW}, Any, "{'b': ***}", id="members"),
    pytest.param({2, 1}, Any, "[1, 2]", id="a set in order"),
    pytest.param(Unknown(), Any, "<Unknown>", id="an object of unknown make"),
    pytest.param(None, Email, "None", id="nothing"),
    pytest.param("s", Redacted[str] | None, COVER, id="an option"),
    pytest.param("1", Phone | int, COVER, id="the option of its class"),
    pytest.param(1, Phone | int, "1", id="the option of another class"),
    pytest.param("1", Phone | str, COVER, id="either of two options"),
    pytest.param(["1"], list[Phone] | None, f"[{COVER}]", id="items of an option"),
    pytest.param((Phone("1"),), tuple[Phone, ...], f"[{COVER}]", id="items by their annotation"),
    pytest.param((Phone("1"), "x"), tuple[Phone, str], f"[{COVER}, 'x']", id="one of the items"),
    pytest.param({Phone("1"): "x"}, dict[Phone, str], "{***: 'x'}", id="names by their annotation"),
    pytest.param({"x": Phone("1")}, dict[str, Phone], "{'x': ***}", id="members by their annotation"),
    pytest.param([Phone("1"), Unknown()], list[Phone | Unknown], f"[{COVER}, <Unknown>]", id="beside unknown ones"),
    pytest.param(Box(Phone("1")), Box[Phone], COVER, id="an argument of a class"),
    pytest.param(Box(1), Box[int], "Box(item=1)", id="a class of no secret"),
]


@pytest.mark.parametrize(("value", "kind", "text"), SHOWN)
def test_a_value_is_shown_without_its_secrets(value: object, kind: Any, text: str) -> None:
    """And without asking objects that we do not know to spell themselves."""
    assert shown_value(value, kind, SECRETS) == text


@frozen
class Account:
    """A message with a secret that its validator would quote."""

    name: str = field(validator=matches_re(r"[a-z]+"))
    key: Redacted[str] = field(validator=matches_re(r"[a-z]+"))
    others: tuple[Redacted[int], ...] = ()


def test_what_is_wrong_with_a_secret_is_told_without_its_value() -> None:
    """Errors of fields end in letters, logs and answers, so only sound types may speak of what they were given."""
    refused = structure_all(Account, {"name": "A-1", "key": "S3CRET", "others": [1, "S3CRET"]})
    assert isinstance(refused, FieldErrors)
    hidden = "is refused; it holds a secret, so the reason is not shown"
    told = {error.field: error.problem for error in refused.fields}
    assert told == {"name": told["name"], "key": hidden, "others[1]": hidden}
    assert "A-1" in told["name"]
    assert structure_all(Account, {"name": "a"}) == FieldErrors((FieldError("key", "is missing"),))
