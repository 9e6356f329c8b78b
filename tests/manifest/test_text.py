"""The text of a manifest: one for each value, and whatever else somebody may have typed is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.errors import BadManifest
from effect_runtime.integration import FieldShape
from effect_runtime.manifest import EventContract, SubscriptionContract, TopicContract, WireManifest, compare
from tests.manifest.strategies import manifests

MANIFEST = WireManifest(
    topics=(TopicContract("lending", "lending"), TopicContract("weather", None)),
    events=(
        EventContract(
            name="lending.lent",
            topic="lending",
            key="book",
            version=2,
            formerly=("lending.borrowed",),
            shapes={
                1: {"book": FieldShape("text")},
                2: {
                    "book": FieldShape("text"),
                    "fee": FieldShape("record", is_nullable=True, is_optional=True),
                    "fee.amount": FieldShape("decimal"),
                    "state": FieldShape("choice", choices=('"worn"', '"good"')),
                },
            },
        ),
    ),
    subscriptions=(SubscriptionContract(name="catalog.loans", topic="lending", handles=("lending.lent",)),),
    retired_events=("lending.lost",),
)
TEXT = """\
{
  "format": 1,
  "topics": {
    "lending": {
      "owner": "lending"
    },
    "weather": {
      "owner": null
    }
  },
  "events": {
    "lending.lent": {
      "topic": "lending",
      "key": "book",
      "formerly": [
        "lending.borrowed"
      ],
      "oldest": 1,
      "version": 2,
      "shapes": {
        "1": {
          "book": "text"
        },
        "2": {
          "book": "text",
          "fee?": "record or null",
          "fee.amount": "decimal",
          "state": [
            "good",
            "worn"
          ]
        }
      }
    }
  },
  "subscriptions": {
    "catalog.loans": {
      "topic": "lending",
      "handles": [
        "lending.lent"
      ],
      "start": "now",
      "poison": "block"
    }
  },
  "retired": {
    "events": [
      "lending.lost"
    ],
    "subscriptions": []
  }
}
"""


def test_a_manifest_is_sorted_with_one_fact_on_a_line() -> None:
    """A diff of the committed file shows what has changed and nothing else."""
    assert MANIFEST.to_text() == TEXT


def test_the_order_of_parts_makes_no_difference() -> None:
    """Two manifests of the same facts are equal, and so are their texts."""
    shuffled = WireManifest(
        topics=MANIFEST.topics[::-1],
        events=MANIFEST.events[::-1],
        subscriptions=MANIFEST.subscriptions,
        retired_events=MANIFEST.retired_events,
    )
    assert (shuffled, shuffled.to_text()) == (MANIFEST, TEXT)


@given(manifests())
def test_a_text_is_read_as_the_manifest_that_wrote_it(manifest: WireManifest) -> None:
    """Nothing is lost on the way to the file and back."""
    assert WireManifest.from_text(manifest.to_text()) == manifest


def edited(path: str, value: Any) -> str:
    """Return the text with one member set, or taken away with `...`."""
    document = json.loads(TEXT)
    *parents, last = path.split("/")
    holder = document
    for step in parents:
        holder = holder[step]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(document)


EVENT = "events/lending.lent"
MISREAD = {
    # Of a comma too many, Python 3.13 names another line than those before it.
    '{\n"format": 1\n"topics": {}}': "line 3 is not JSON (Expecting ',' delimiter)",
    '{"format": 1, "format": 1}': "its text holds what no manifest needs (the name 'format' twice in one object)",
    '{"format": NaN}': "its text holds what no manifest needs (NaN)",
    "[" * 100_000: "its text holds what no manifest needs (maximum recursion depth exceeded",
    "[]": "its text is no object",
    edited("format", 2): "field 'format' is no whole number from 1 to 1",
    edited("format", True): "field 'format' is no whole number from 1 to 1",
    edited("topics", ...): "its text has no member 'topics'",
    edited("topics/lending/owner", 1): "field 'topics.lending.owner' is no printable text",
    edited("topics/lending/color", "red"): "field 'topics.lending' has an unknown member 'color'",
    edited("topics/\n", {"owner": None}): "field 'topics' has a member with the unprintable name '\\n'",
    edited(f"{EVENT}/version", 3): "field 'events.lending.lent.shapes' does not have the current version 3",
    edited(f"{EVENT}/version", 2**31): "field 'events.lending.lent.version' is no whole number from 1 to 2147483647",
    edited(f"{EVENT}/oldest", 3): "field 'events.lending.lent.oldest' is no whole number from 1 to 2",
    edited(f"{EVENT}/shapes/02", {}): "field 'events.lending.lent.shapes.02' is no version from 1 to 2",
    edited(f"{EVENT}/key", "isbn"): "field 'events.lending.lent.key' names no field of the current version",
    edited(f"{EVENT}/topic", "loans"): "its text puts 'lending.lent' on the topic 'loans', which it does not list",
    edited(f"{EVENT}/shapes/1/book", "string"): "field 'events.lending.lent.shapes.1.book' is none of text, text or",
    edited(f"{EVENT}/shapes/1/book", [1.5]): "field 'events.lending.lent.shapes.1.book[0]' is no text, whole number",
    edited(f"{EVENT}/shapes/1/a b", "text"): "field 'events.lending.lent.shapes.1.a b' is no path of a field",
    edited(f"{EVENT}/shapes/1/book?", "text"): "shapes.1.book?' stands there with and without '?'",
    edited(f"{EVENT}/shapes/1/fee.amount", "int"): "shapes.1' has 'fee.amount' without 'fee'",
    edited(f"{EVENT}/formerly", ["x.y", "x.y"]): "field 'events.lending.lent.formerly' names 'x.y' twice",
    edited(f"{EVENT}/formerly", "x.y"): "field 'events.lending.lent.formerly' is no array",
    edited("subscriptions/catalog.loans/start", "never"): "field 'subscriptions.catalog.loans.start' is none of now, ",
    edited("retired/events", ["lending.borrowed"]): "its text uses the identity 'lending.borrowed' twice",
    edited("retired/subscriptions", ["catalog.loans"]): "its text has the subscription 'catalog.loans' and says that",
}


@pytest.mark.parametrize(("text", "where"), [pytest.param(*case, id=case[1]) for case in MISREAD.items()])
def test_a_bad_text_is_refused_by_its_line_or_field(text: str, where: str) -> None:
    """Whoever merged the file by hand is told where, what, and the way out."""
    with pytest.raises(BadManifest) as caught:
        WireManifest.from_text(text)
    assert where in str(caught.value)
    assert str(caught.value).endswith("let `python -m effect_runtime.manifest write` change it.")


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, whatever the file holds."""
    with pytest.raises(BadManifest):
        WireManifest.from_text(text)


ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
)
PLACES = st.sampled_from(["format", "topics", "events", "subscriptions", "retired", EVENT])
DEEPER = st.sampled_from(["", "/topic", "/key", "/formerly", "/oldest", "/version", "/shapes", "/shapes/2"])


@given(PLACES, DEEPER, ODD)
def test_a_mutilated_manifest_is_read_or_refused(place: str, deeper: str, value: Any) -> None:
    """What is read all the same can be compared and written."""
    path = f"{EVENT}{deeper}" if place == EVENT else place
    try:
        manifest = WireManifest.from_text(edited(path, value))
    except BadManifest:
        return
    assert WireManifest.from_text(manifest.to_text()) == manifest
    assert compare(manifest, manifest) == ()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing file is refused like a bad one."""
    with pytest.raises(BadManifest, match=r"wire\.json' cannot be opened \(No such file or directory\)"):
        WireManifest.from_file(tmp_path / "wire.json")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A binary file is refused with the first wrong byte."""
    (tmp_path / "wire.json").write_bytes(b"{\xff")
    with pytest.raises(BadManifest, match=r"wire\.json' is not UTF-8 \(byte 1\)"):
        WireManifest.from_file(tmp_path / "wire.json")
