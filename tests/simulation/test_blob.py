"""Blobs: whatever a plan is made of comes back from its one word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.errors import BlobUnreadable
from effect_runtime.testing import Site
from effect_runtime.testing.search._blob import Blob, Named

names = st.text(min_size=1, max_size=12)
sites = st.builds(
    Site, names, names, names, st.integers(1, 99), st.sampled_from(["schedule", "fault", "message", "time", "random"])
)
blobs = st.builds(
    Blob,
    digest=st.text("0123456789abcdef", min_size=12, max_size=12),
    run_digest=st.text("0123456789abcdef", min_size=12, max_size=12) | st.just(""),
    order=st.sampled_from(["run to block", "first come"]),
    on_crash=st.sampled_from(["retry", "abandon"]),
    programs=st.lists(st.tuples(names, st.lists(st.integers(0, 9)).map(tuple))).map(tuple),
    deviations=st.lists(st.tuples(sites, names), unique_by=lambda pair: pair[0]).map(tuple),
)


@given(blobs)
def test_a_blob_is_read_as_it_was_written(blob: Blob) -> None:
    """Also with signs from anywhere in its names, and with blanks around it."""
    assert Blob.of(f" {blob} ") == blob


@given(blobs, st.data())
def test_a_torn_blob_is_refused(blob: Blob, data: st.DataObject) -> None:
    """Cut anywhere, it is unreadable; it never becomes another plan."""
    word = str(blob)
    with pytest.raises(BlobUnreadable):
        Blob.of(word[: data.draw(st.integers(0, len(word) - 2))])


def test_a_blob_of_another_version_is_refused_with_both() -> None:
    """Neither is guessed at."""
    with pytest.raises(BlobUnreadable) as refused:
        Blob.of("sim7:abc")
    assert refused.value.reason == "it is of version sim7, and this kit reads sim1"


def test_a_site_that_no_longer_offers_what_was_named_counts_as_missed() -> None:
    """The site is there, the alternative has gone: nothing else is done in its place."""
    here, gone = (Site("shop", "ann", "lend", nth, "fault") for nth in (1, 2))
    chooser = Named([(here, "crash after"), (gone, "crash after")])
    assert chooser.choose(here, ("no fault", "crash before", "crash after")) == 2
    assert chooser.choose(gone, ("no fault", "crash before")) == 0
    assert chooser.missed == (gone,)
