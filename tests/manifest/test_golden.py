"""Golden payloads: what was sent once is read for ever, or the fault says which file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from effect_runtime.errors import ConfigurationError
from effect_runtime.integration import FieldShape
from effect_runtime.manifest import golden_faults, golden_name, verify_golden
from effect_runtime.manifest._golden import example_payload, examples_of
from tests.manifest.shop import ShopEvents
from tests.manifest.strategies import SHAPES, reads

WHOLE = {
    "manifest-shop.sold.v1.json": b'{"article": "lamp"}',
    "manifest-shop.sold.v2.json": b'{"article": "lamp", "count": 3}',
    "manifest-shop.closed.v1.json": b"{}",
}


def faults(**changes: bytes | None) -> list[tuple[str, str]]:
    """Return place and problem of each fault of the whole set with some files changed or, with None, missing."""
    named = {name.replace("__", "-shop.").replace("_", ".") + ".json": payload for name, payload in changes.items()}
    payloads = {name: payload for name, payload in {**WHOLE, **named}.items() if payload is not None}
    return [(fault.place, fault.problem) for fault in golden_faults([ShopEvents], payloads)]


def test_a_payload_of_every_version_is_read() -> None:
    """Old ones through their upcasters."""
    assert faults() == []


def test_a_payload_under_a_former_identity_does_as_well() -> None:
    """What was recorded before a rename stays as it was."""
    assert faults(manifest__closed_v1=None, manifest__shut_v1=b"{}") == []


def test_a_version_without_a_payload_is_a_fault() -> None:
    """Every version that is read has been recorded."""
    assert faults(manifest__sold_v1=None) == [("manifest-shop.sold.v1.json", "no such payload is committed.")]


def test_a_payload_that_is_not_read_is_a_fault_with_every_field() -> None:
    """The fault says what the decoder says."""
    (place, problem), *others = faults(manifest__sold_v2=b'{"article": 3, "currency": "SHELLS"}')
    assert (place, others) == ("manifest-shop.sold.v2.json", [])
    assert problem.startswith(
        "The payload of 'manifest-shop.sold' version 2 cannot be read: article: is int, not text; count: is missing; "
        "currency: Length of 'currency' must be <= 3: 6."
    )


def test_a_payload_that_nothing_reads_is_a_fault() -> None:
    """A file of a lost event, or of a version below `oldest`, does not pass unseen."""
    assert faults(manifest__lost_v1=b"{}") == [
        ("manifest-shop.lost.v1.json", "no event class reads this identity in this version.")
    ]


def test_all_faults_of_a_folder_are_raised_at_once(tmp_path: Path) -> None:
    """One line of an ordinary test verifies them all."""
    for name, payload in WHOLE.items():
        (tmp_path / name).write_bytes(payload)
    verify_golden([ShopEvents], tmp_path)
    (tmp_path / "manifest-shop.sold.v1.json").unlink()
    (tmp_path / "manifest-shop.closed.v1.json").write_text("[]")
    with pytest.raises(ConfigurationError) as caught:
        verify_golden([ShopEvents], tmp_path)
    assert [(fault.code.name, fault.place) for fault in caught.value.faults] == [
        ("ER215", "manifest-shop.sold.v1.json"),
        ("ER215", "manifest-shop.closed.v1.json"),
    ]


def test_an_example_is_made_of_each_current_version() -> None:
    """A field whose validator refuses the example is left out, as it has a default."""
    assert examples_of([ShopEvents]) == {
        golden_name("manifest-shop.sold", 2): '{\n  "article": "article",\n  "count": 1\n}\n',
        golden_name("manifest-shop.closed", 1): "{}\n",
    }


@given(SHAPES)
def test_an_example_fits_its_shapes(shapes: dict[str, FieldShape]) -> None:
    """Whatever nests in whatever."""
    assert reads(shapes, json.loads(example_payload(shapes)))
    assert example_payload(dict(sorted(shapes.items()))) == example_payload(shapes)
