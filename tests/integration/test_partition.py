"""The partition of a key: published vectors and the range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.integration import partition

VECTORS = [
    ("", (0, 0, 0, 4, 876, 1954132660)),
    ("book-1", (0, 0, 2, 10, 322, 190335530)),
    ("Bücher", (0, 0, 6, 2, 250, 1360834930)),
    ("a" * 100, (0, 1, 1, 15, 991, 1027481647)),
]
COUNTS = (1, 2, 7, 16, 1000, 2**31)


@pytest.mark.parametrize(("key", "partitions"), VECTORS)
def test_the_hash_gives_its_published_vectors(key: str, partitions: tuple[int, ...]) -> None:
    """Another process, machine or language finds the same partition: docs publish these numbers."""
    assert tuple(partition(key, count) for count in COUNTS) == partitions


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 10_000))
def test_a_partition_lies_within_the_count(key: str, count: int) -> None:
    """From 0 to `count` - 1."""
    assert 0 <= partition(key, count) < count


def test_there_is_no_partition_among_none() -> None:
    """A count below one is an error that says so."""
    with pytest.raises(ValueError, match=r"There are 0 partitions to choose from\. Give at least one\."):
        partition("book-1", 0)
