"""What a manifest remembers of the committed one: shapes of older versions, and names that nobody may use again."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given

from effect_runtime.errors import NotRetirable
from effect_runtime.integration import FieldShape
from effect_runtime.manifest import EventContract, SubscriptionContract, TopicContract, WireManifest, compare
from tests.manifest.strategies import manifests

TEXT, INT = FieldShape("text"), FieldShape("int")
LENT = EventContract(name="lending.lent", topic="lending", key=None, version=1, shapes={1: {"book": TEXT}})
LOST = EventContract(
    name="lending.lost", topic="lending", key=None, version=1, formerly=("lending.gone",), shapes={1: {}}
)
LOANS = SubscriptionContract(name="catalog.loans", topic="lending", handles=())
COMMITTED = WireManifest(topics=(TopicContract("lending", "lending"),), events=(LENT, LOST), subscriptions=(LOANS,))


def renewed(version: int, **changes: Any) -> WireManifest:
    """Return what the code says once its event has another version."""
    later: EventContract = evolve(LENT, version=version, shapes={version: {"book": INT}}, **changes)
    return evolve(COMMITTED, events=(later, LOST))


def test_shapes_of_older_versions_are_carried_forward() -> None:
    """The class knows its current shape alone; the file knows the others."""
    third = renewed(3).following(renewed(2).following(COMMITTED))
    assert third.events[0].shapes == {1: {"book": TEXT}, 2: {"book": INT}, 3: {"book": INT}}


def test_shapes_are_carried_over_a_renamed_identity() -> None:
    """A former name leads to what was known of it."""
    present = renewed(2, name="lending.borrowed", formerly=("lending.lent",))
    assert present.following(COMMITTED).events[0].shapes == {1: {"book": TEXT}, 2: {"book": INT}}


def test_versions_that_are_not_read_any_more_are_forgotten() -> None:
    """Below `oldest` there is nothing to remember."""
    assert renewed(2, oldest=2).following(COMMITTED).events[0].shapes == {2: {"book": INT}}


def test_a_retired_event_leaves_its_names_behind() -> None:
    """Its former identities stay taken as well."""
    present = evolve(COMMITTED, events=(LENT,))
    assert present.following(COMMITTED, retire=["lending.lost"]) == evolve(
        present, retired_events=("lending.gone", "lending.lost")
    )


def test_a_retired_subscription_leaves_its_id_behind() -> None:
    """The marks in the inbox belong to that id for ever."""
    present = evolve(COMMITTED, subscriptions=())
    assert present.following(COMMITTED, retire=["catalog.loans"]) == evolve(
        present, retired_subscriptions=("catalog.loans",)
    )


def test_retired_names_are_remembered_for_ever() -> None:
    """The next text holds those of the last one."""
    retired = evolve(COMMITTED, retired_events=("lending.old",), retired_subscriptions=("catalog.old",))
    assert COMMITTED.following(retired) == retired


def test_what_the_code_still_has_cannot_be_retired() -> None:
    """First the code, then the file."""
    with pytest.raises(NotRetirable, match=r"'lending.lost' cannot be retired: the code still has it\. Take it out"):
        COMMITTED.following(COMMITTED, retire=["lending.lost"])


def test_what_nobody_knows_cannot_be_retired() -> None:
    """A misspelt name is not silently kept."""
    with pytest.raises(NotRetirable, match=r"'lending.lots' cannot be retired: the committed manifest has no"):
        COMMITTED.following(COMMITTED, retire=["lending.lots"])


@given(manifests(), manifests())
def test_what_is_remembered_is_no_change(committed: WireManifest, present: WireManifest) -> None:
    """A comparison says the same whether the memory was added first or not."""
    assert compare(committed, present.following(committed)) == compare(committed, present)


@given(manifests(), manifests())
def test_remembering_twice_is_remembering_once(committed: WireManifest, present: WireManifest) -> None:
    """A file that is up to date stays as it is."""
    written = present.following(committed)
    assert present.following(written) == written
