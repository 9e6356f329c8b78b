"""What the library has promised on the wire: the committed manifest, and a payload of every version."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from effect_runtime.manifest import Impact, WireManifest, compare, verify_golden
from library_example.app import WIRE, library_in_memory

COMMITTED = WireManifest.from_file(WIRE)
GOLDEN = Path(WIRE).with_name("golden")


def test_the_committed_manifest_says_what_the_code_says() -> None:
    """After a change: `python -m effect_runtime.manifest write library_example.app:library_in_memory FILE`."""
    assert library_in_memory().manifest().following(COMMITTED).to_text() == WIRE.read_text(encoding="utf-8")


def test_every_payload_that_was_committed_is_read() -> None:
    """Version 1 of both loans through its upcaster, the others as they are."""
    verify_golden(library_in_memory().topics, GOLDEN)


def test_version_1_is_remembered() -> None:
    """No class knows it any more; the manifest does."""
    shapes = {event.name: sorted(event.shapes) for event in COMMITTED.events if event.version > 1}
    assert shapes == {"lending.book-borrowed": [1, 2], "lending.book-returned": [1, 2]}


def test_a_field_that_is_taken_away_is_refused_with_the_way_out() -> None:
    """The sentence that a build would print."""
    borrowed = next(event for event in COMMITTED.events if event.name == "lending.book-borrowed")
    shapes = {path: shape for path, shape in borrowed.shapes[2].items() if path != "patron_id"}
    others = tuple(event for event in COMMITTED.events if event is not borrowed)
    changed = evolve(COMMITTED, events=(*others, evolve(borrowed, shapes={2: shapes})))
    (change,) = compare(COMMITTED, changed)
    assert change.impact is Impact.BREAKING
    assert str(change) == (
        "breaking: event 'lending.book-borrowed' version 2, field 'patron_id': it is gone (text), and readers of this "
        "version still expect it. Raise `version=` by one and write an @upcaster from the version before."
    )
